import Absurd
import AbsurdSupervisor
import ArgumentParser
import EphemeralPostgres
import Foundation

/// How the program ends after an error: what it says, and its exit status.
struct ProgramEnd {
    let status: Int32
    /// One line for standard error; nil when there is nothing to say.
    let line: String?
    /// An error that the argument parser knows how to show, help included.
    private let parserError: (any Error)?

    init(_ error: any Error) {
        switch error {
        case let error as AbsurdError:
            self.init(status: error.exitCode, line: error.message)
        case let error as EphemeralPostgresError:
            self.init(status: 1, line: error.message)
        case let error as SupervisorError:
            self.init(status: error.exitCode, line: error.message.printable)
        case is ReaderGone:
            self.init(status: ReaderGone.status, line: nil)
        case is CancellationError:
            self.init(status: 130, line: "interrupted")
        case let error as ExitCode:
            self.init(status: error.rawValue, line: nil)
        case let error as CocoaError:
            // Its own description spans lines.
            self.init(
                status: 1,
                line: [error.localizedDescription, error.filePath].compactMap(\.self).joined(separator: " "))
        default:
            let status = AbsurdTool.exitCode(for: error)
            let isParsers = status == .success || status == .validationFailure
            self.init(
                status: status.rawValue, line: String(describing: error), parserError: isParsers ? error : nil
            )
        }
    }

    private init(status: Int32, line: String?, parserError: (any Error)? = nil) {
        self.status = status
        self.line = line
        self.parserError = parserError
    }

    func exit() -> Never {
        if let parserError {
            guard status != 0 else { AbsurdTool.exit(withError: parserError) }
            // It quotes what was typed.
            let lines = AbsurdTool.fullMessage(for: parserError).split(
                separator: "\n", omittingEmptySubsequences: false)
            say(lines.map { String($0).printable }.joined(separator: "\n"))
        }
        if parserError == nil, let line { say("error: \(line.printable)") }
        Foundation.exit(status)
    }
}
