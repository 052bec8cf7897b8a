import Subprocess

/// This process's end of the shell that owns a server.
///
/// Commands go down the shell's standard input one at a time; each is answered with lines, the last of which
/// starts with `ok` or `failed`.
final class Supervisor: Sendable {
    private struct Command: Sendable {
        let text: String
        let reply: CheckedContinuation<String, any Error>
    }

    private let commands: AsyncStream<Command>.Continuation
    private let lifetime: Task<Void, Never>
    private let processEnd: AsyncStream<Never>

    init(_ settings: SupervisorSettings) {
        let (stream, continuation) = AsyncStream.makeStream(of: Command.self)
        let (processEnd, processEnded) = AsyncStream.makeStream(of: Never.self)
        self.commands = continuation
        self.processEnd = processEnd
        // The one unstructured task of this module: a server has to outlive the call that starts it. It ends
        // when this object is released, and nothing but the end of the shell ends the shell's part of it.
        lifetime = Task {
            var failure: (any Error)?
            do {
                try await Self.runShell(settings, obeying: stream)
            } catch {
                failure = error
            }
            processEnded.finish()
            for await command in stream {
                command.reply.resume(throwing: failure ?? Self.endedError)
            }
        }
    }

    deinit {
        // Closes the pipe, and with it goes the server.
        commands.finish()
    }

    /// Sends a command and returns what stands behind `ok` in its answer.
    func send(_ text: String) async throws -> String {
        try await withCheckedThrowingContinuation { reply in
            commands.yield(Command(text: text, reply: reply))
        }
    }

    /// Waits until the shell is gone.
    func ended() async {
        for await _ in processEnd {}
    }

    private static func runShell(
        _ settings: SupervisorSettings, obeying commands: AsyncStream<Command>
    ) async throws {
        _ = try await run(
            try settings.configuration(), input: .inputWriter, output: .sequence, error: .discarded
        ) { shell in
            var answers = shell.standardOutput.strings().makeAsyncIterator()
            for await command in commands {
                do {
                    _ = try await shell.standardInputWriter.write(command.text + "\n")
                    command.reply.resume(returning: try await answer(from: &answers))
                } catch {
                    command.reply.resume(throwing: error)
                }
                if command.text.hasPrefix("stop") { break }
            }
        }
    }

    private static func answer(
        from lines: inout SubprocessOutputSequence.StringSequence<UTF8>.AsyncIterator
    ) async throws -> String {
        var log: [String] = []
        while let raw = try await lines.next() {
            let line = raw.hasSuffix("\n") ? String(raw.dropLast()) : raw
            if line.hasPrefix("ok") { return String(line.dropFirst("ok ".count)) }
            if line.hasPrefix("failed ") {
                throw failure(String(line.dropFirst("failed ".count)), log: log)
            }
            log.append(line)
        }
        throw endedError
    }

    private static func failure(_ reason: String, log: [String]) -> EphemeralPostgresError {
        let portTaken = log.contains { $0.contains("could not create any TCP/IP sockets") }
        let lines = log.isEmpty ? "" : " The last lines of its log:\n" + log.joined(separator: "\n")
        return EphemeralPostgresError(code: portTaken ? .portTaken : .serverFailed, message: reason + lines)
    }

    private static var endedError: EphemeralPostgresError {
        EphemeralPostgresError(code: .ended, message: "The private Postgres server has been stopped.")
    }
}
