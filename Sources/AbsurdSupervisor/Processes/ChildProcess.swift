import Subprocess

/// One process of the supervised command, in a process group of its own.
struct ChildProcess: Sendable {
    let words: [String]
    let environment: [String: String]

    /// Waits for leave before it becomes the command.
    ///
    /// So the process is known to the watchdog before it does anything, and one whose supervisor dies in between reads
    /// the end of its input and ends.
    private static let script = #"read -r _ || exit 1; exec "$0" "$@" </dev/null"#

    /// Runs the command to its end.
    ///
    /// Whatever it has started and left behind in its group is killed.
    ///
    /// - Parameter started: Called before the command begins; the command waits for it to return.
    func run(started: @Sendable (Int32) async -> Void) async -> ProcessEnd {
        var platform = PlatformOptions()
        platform.processGroupID = 0
        var changes: [Environment.Key: String?] = [:]
        for (name, value) in environment {
            if let key = Environment.Key(rawValue: name) { changes[key] = value }
        }
        do {
            let result = try await Subprocess.run(
                .name("sh"), arguments: Arguments(["-c", Self.script] + words),
                environment: .inherit.updating(changes), platformOptions: platform, input: .inputWriter,
                output: .currentStandardOutput, error: .currentStandardError
            ) { execution in
                let processID = execution.processIdentifier.value
                await started(processID)
                // One that was killed meanwhile takes no leave, and its end is seen all the same.
                _ = try? await execution.standardInputWriter.write("go\n")
                try? await execution.standardInputWriter.finish()
                return processID
            }
            SupervisorSignal.kill.send(toGroup: result.closureResult)
            return switch result.terminationStatus {
            case .exited(let status): .exited(status: status)
            case .signaled(let signal): .signalled(signal)
            }
        } catch {
            return .notStarted(String(describing: error))
        }
    }
}
