import Absurd
import Foundation
import Subprocess
import UnixSignals

/// A command that runs in the foreground in our place: with our streams, and with the signals that we get.
struct ChildCommand {
    let words: [String]
    let environment: [String: String]

    /// Runs the command to its end.
    ///
    /// - Returns: Its exit status, or 128 and the number of the signal that ended it, as shells do.
    func run(passingOn signals: UnixSignalsSequence) async throws -> Int32 {
        let (processIDs, started) = AsyncStream.makeStream(of: pid_t.self)
        return try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask { try await execute { started.yield($0) } }
            group.addTask {
                for await id in processIDs {
                    await passOn(signals, to: id)
                }
                return nil
            }
            defer { group.cancelAll() }
            for try await status in group {
                if let status { return status }
            }
            return 0
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
        guard !words[0].contains("/") || FileManager.default.isExecutableFile(atPath: words[0]) else {
            return notFound()
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

    private func notFound() -> Int32 {
        say("error: there is no command '\(words[0])'")
        return 127
    }
}
