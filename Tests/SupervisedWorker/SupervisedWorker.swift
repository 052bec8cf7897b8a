// The program that the tests of the supervisor supervise: a pool of workers that stops on SIGTERM.

import Absurd
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

@main
enum SupervisedWorker {
    static func main() async throws {
        let logger = Logger(label: "supervised") { _ in SwiftLogNoOpLogHandler() }
        let client = try AbsurdClient(.environment(), logger: logger)
        var options = WorkerOptions()
        options.concurrency = 4
        options.claimTimeout = .minutes(10)
        // With a grace period that only a second signal ends.
        let isPatient = ProcessInfo.processInfo.environment["PATIENT"] != nil
        options.shutdownGrace = isPatient ? .seconds(3600) : .seconds(3)
        let pool = try WorkerPool(client, handlers: [short, first, fatal, leaving], options: options)
        try await ServiceGroup(
            services: [client, SecondSignal(for: [pool]), pool, StopMark()],
            gracefulShutdownSignals: [.sigterm], logger: logger
        ).run()
    }

    /// Notes that the process has been told to stop: by the file that `STOP_MARK` names.
    private struct StopMark: Service {
        func run() async throws {
            try await gracefulShutdown()
            guard let path = ProcessInfo.processInfo.environment["STOP_MARK"] else { return }
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
    }

    /// Takes a moment.
    private static let short = Handler("short") { context in
        try await context.step("work") { try await Task.sleep(for: .milliseconds(100)) }
        return .complete
    }

    /// Goes on for ever in its first attempt.
    private static let first = Handler("first attempt hangs") { context in
        if context.attempt == 1 { try await Task.sleep(for: .seconds(3600)) }
        return .complete
    }

    /// Ends its process in its first attempt, as if nothing were wrong.
    private static let leaving = Handler("first attempt exits") { context in
        if context.attempt == 1 { exit(0) }
        return .complete
    }

    /// Traps in its first attempt.
    private static let fatal = Handler("first attempt traps") { context in
        precondition(context.attempt > 1, "as the test wants it")
        return .complete
    }
}
