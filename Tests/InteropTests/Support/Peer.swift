import Absurd
import Foundation
import Subprocess
import Synchronization
import TestSupport
import Testing

/// The Python SDK in a process of its own, beside the test.
///
/// Its calls are those of the SDK's client (`Python/peer.py`), one after the other.
final class Peer: Sendable {
    private struct Request: Sendable {
        let line: String
        let reply: CheckedContinuation<JSONValue, any Error>
    }

    private let requests: AsyncStream<Request>.Continuation
    private let executed = Mutex<[String]>([])

    private init(_ requests: AsyncStream<Request>.Continuation) {
        self.requests = requests
    }

    /// Calls a method of the SDK's client and returns its answer.
    ///
    /// - Throws: ``PeerError`` for an exception.
    @discardableResult
    func call(
        _ method: String, _ arguments: [JSONValue] = [], _ options: [String: JSONValue] = [:]
    ) async throws -> JSONValue {
        let request: JSONValue = [
            "call": .string(method), "arguments": .array(arguments), "options": .object(options),
        ]
        let line = try String(decoding: JSONEncoder().encode(request), as: UTF8.self)
        let answer = try await withCheckedThrowingContinuation {
            requests.yield(Request(line: line, reply: $0))
        }
        if case .array(let steps)? = answer["executed"] {
            executed.withLock { $0 += steps.compactMap(\.stringValue) }
        }
        if let error = answer["error"] {
            throw PeerError(
                name: error["name"]?.stringValue ?? "", message: error["message"]?.stringValue ?? "")
        }
        return try #require(answer["value"])
    }

    /// The bodies of steps that ran there since the last time this was asked.
    func takeExecuted() -> [String] {
        executed.withLock { executed in
            defer { executed = [] }
            return executed
        }
    }

    /// Runs the process on the test's database while `body` does.
    static func with(queue: String, _ body: (Peer) async throws -> Void) async throws {
        let path = try PythonEnvironment.path(to: "python")
        let database = TestDatabase.current.connectionString
        let (stream, continuation) = AsyncStream.makeStream(of: Request.self)
        let peer = Peer(continuation)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await serve(stream, path: path, queue: queue, database: database) }
            do {
                try await body(peer)
            } catch {
                continuation.finish()
                throw error
            }
            continuation.finish()
            try await group.waitForAll()
        }
    }

    private static func serve(
        _ requests: AsyncStream<Request>, path: String, queue: String, database: String
    ) async throws {
        do {
            _ = try await run(
                .name("python"), arguments: ["-u", PythonEnvironment.script("peer.py"), queue],
                environment: .inherit.updating(["PATH": path, "ABSURD_DATABASE_URL": database]),
                input: .inputWriter, output: .sequence, error: .currentStandardError
            ) { process in
                var lines = process.standardOutput.strings().makeAsyncIterator()
                for await request in requests {
                    do {
                        _ = try await process.standardInputWriter.write(request.line + "\n")
                        guard let line = try await lines.next() else { throw PeerError.ended }
                        let answer = try JSONDecoder().decode(JSONValue.self, from: Data(line.utf8))
                        request.reply.resume(returning: answer)
                    } catch {
                        request.reply.resume(throwing: error)
                    }
                }
                try await process.standardInputWriter.finish()
            }
        } catch {
            for await request in requests { request.reply.resume(throwing: error) }
            throw error
        }
    }
}

/// An exception in Python.
struct PeerError: Error, Hashable {
    var name: String
    var message: String

    static let ended = PeerError(name: "", message: "the Python process has ended")
}
