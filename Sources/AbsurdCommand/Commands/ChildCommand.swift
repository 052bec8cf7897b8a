import Absurd
import ArgumentParser
import EphemeralPostgres
import Foundation
import Subprocess
import UnixSignals

/// A command that runs in the foreground in our place: with our streams, and with the signals that we get.
struct ChildCommand {
    let words: [String]
    var environment: [String: String] = [:]

    private enum Event: Sendable {
        case started(pid_t), ended(status: Int32), serverGone, nothing
    }

    /// Runs the command to its end, which is near when the server ends before it.
    ///
    /// - Returns: Its exit status, or 128 and the number of the signal that ended it, as shells do. Not zero when
    ///   the server ended by itself.
    func run(passingOn signals: UnixSignalsSequence, using server: EphemeralPostgres) async throws -> Int32 {
        let (processIDs, started) = AsyncStream.makeStream(of: pid_t.self)
        return try await withThrowingTaskGroup(of: Event.self) { group in
            group.addTask { .ended(status: try await execute { started.yield($0) }) }
            group.addTask { await processIDs.first { _ in true }.map(Event.started) ?? .nothing }
            group.addTask {
                try await server.untilGone()
                return .serverGone
            }
            defer { group.cancelAll() }
            var processID: pid_t?
            var isServerGone = false
            for try await event in group {
                switch event {
                case .nothing: continue
                case .ended(let status): return isServerGone ? max(status, 1) : status
                case .started(let id):
                    processID = id
                    group.addTask {
                        await passOn(signals, to: id)
                        return .nothing
                    }
                case .serverGone:
                    isServerGone = true
                    say("error: \(DevCommand.serverGone)")
                }
                if isServerGone, let processID { kill(processID, SIGTERM) }
            }
            return 1
        }
    }

    /// Looks the command up, before anything is started for it.
    ///
    /// - Throws: The exit status of shells for a command that is not there, which is said here.
    func checkExists() async throws {
        let path = words[0]
        if path.contains("/") {
            guard FileManager.default.isExecutableFile(atPath: path) else { throw ExitCode(notFound()) }
            return
        }
        do {
            _ = try await Executable.name(path).resolveExecutablePath(in: .inherit)
        } catch {
            throw ExitCode(notFound())
        }
    }

    private func passOn(_ signals: UnixSignalsSequence, to processID: pid_t) async {
        for await signal in signals {
            // A terminal sends its Ctrl-C to the command as well as to us.
            if signal == .sigint, isatty(STDIN_FILENO) == 1 { continue }
            kill(processID, signal.rawValue)
        }
    }

    private func execute(started: @Sendable (pid_t) -> Void) async throws -> Int32 {
        var changes: [Environment.Key: String?] = [:]
        for (name, value) in environment {
            if let key = Environment.Key(rawValue: name) { changes[key] = value }
        }
        do {
            let result = try await Subprocess.run(
                .name(launch[0]), arguments: Arguments(Array(launch.dropFirst())),
                environment: .inherit.updating(changes), input: .currentStandardInput,
                output: .currentStandardOutput, error: .currentStandardError
            ) { execution in
                started(execution.processIdentifier.value)
            }
            return switch result.terminationStatus {
            case .exited(let status): status
            case .signaled(let signal): 128 + signal
            }
        } catch let error as SubprocessError where error.code == .executableNotFound {
            return notFound()
        }
    }

    private var launch: [String] {
        // Subprocess takes a name to look up, or a path of a type that another package has; a shell takes both.
        words[0].contains("/") ? ["sh", "-c", #"exec "$0" "$@""#] + words : words
    }

    /// The exit status of a command that is not there, as shells have it; said here.
    private func notFound() -> Int32 {
        say("error: there is no command '\(words[0].printable)'")
        return 127
    }
}
