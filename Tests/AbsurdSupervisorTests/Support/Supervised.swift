import Absurd
import AbsurdSupervisor
import Foundation
import Synchronization
import TestSupport
import Testing

/// A supervisor at work while a test looks at it, with a folder that its children share with the test.
struct Supervised: Sendable {
    let supervisor: ProcessSupervisor
    let folder: URL
    private let seen: SeenEvents

    /// Supervises a line of shell beside `body`, and stops afterwards.
    ///
    /// The line finds the folder as `$FOLDER`.
    @discardableResult
    static func run(
        _ script: String, client: AbsurdClient? = nil,
        _ change: (inout SupervisorOptions) -> Void = { _ in },
        _ body: @Sendable @escaping (Supervised) async throws -> Void
    ) async throws -> Result<SupervisorEnd, any Error> {
        try await run(["sh", "-c", script], client: client, change, body)
    }

    @discardableResult
    static func run(
        _ command: [String], client: AbsurdClient? = nil,
        _ change: (inout SupervisorOptions) -> Void = { _ in },
        _ body: @Sendable @escaping (Supervised) async throws -> Void
    ) async throws -> Result<SupervisorEnd, any Error> {
        let folder = FileManager.default.temporaryDirectory.appending(path: "absurd-supervised-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var options = SupervisorOptions()
        options.restartPause = .milliseconds(10)
        options.maxRestartPause = .milliseconds(50)
        options.maxRestarts = 1000
        options.settleTime = .milliseconds(300)
        options.environment["FOLDER"] = folder.path
        change(&options)
        let seen = SeenEvents()
        let supervisor = try ProcessSupervisor(command, options: options, client: client, logger: .quiet) {
            seen.add($0)
        }
        let supervised = Supervised(supervisor: supervisor, folder: folder, seen: seen)
        return try await withThrowingTaskGroup(of: Result<SupervisorEnd, any Error>?.self) { group in
            group.addTask {
                do {
                    return .success(try await supervisor.supervise())
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                defer { supervisor.stop() }
                try await body(supervised)
                return nil
            }
            var end: Result<SupervisorEnd, any Error>?
            do {
                for try await result in group { end = result ?? end }
            } catch {
                // What the test has found stands; the supervisor has been told to stop.
                while let _ = await group.nextResult() {}
                throw error
            }
            return try #require(end)
        }
    }

    var events: [SupervisorEvent] { seen.all }
    var ends: [ChildEnd] {
        events.compactMap { if case .ended(let end) = $0 { end } else { nil } }
    }

    /// The ids of the processes that run, in order of the children.
    var processes: [Int32] {
        supervisor.children.compactMap { $0.state == .running ? $0.processID : nil }
    }

    func untilRunning(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await soon("\(count) children run", sourceLocation: sourceLocation) {
            processes.count == count
        }
    }

    /// The words that children have written into a file of the folder.
    func words(_ name: String) -> [String] {
        let text = try? String(contentsOf: folder.appending(path: name), encoding: .utf8)
        return (text ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    }
}

private final class SeenEvents: Sendable {
    private let events = Mutex<[SupervisorEvent]>([])
    var all: [SupervisorEvent] { events.withLock(\.self) }
    func add(_ event: SupervisorEvent) { events.withLock { $0.append(event) } }
}

/// As `eventually`, with the time that starting processes takes beside hundreds of other tests.
func soon(
    _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    try await eventually(comment, within: .seconds(200), sourceLocation: sourceLocation, condition)
}

/// Whether a process is there; a dead one that nobody has taken note of is not.
func isAlive(_ process: Int32) -> Bool {
    guard kill(process, 0) == 0 else { return false }
    guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
        return true
    }
    return !stat.contains(") Z ")
}
