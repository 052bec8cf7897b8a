#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How a process ended.
public enum ProcessEnd: Sendable, Hashable {
    case exited(status: Int32)
    case signalled(Int32)
    /// It never ran, and why.
    case notStarted(String)

    /// Whether it said itself that all went well.
    public var isSuccess: Bool { self == .exited(status: 0) }
}

extension ProcessEnd: CustomStringConvertible {
    public var description: String {
        switch self {
        // What the shell that starts the command answers, and what shells answer everywhere.
        case .exited(status: 126): "exited with status 126 (not executable)"
        case .exited(status: 127): "exited with status 127 (command not found)"
        case .exited(let status): "exited with status \(status)"
        case .signalled(let number): "was ended by \(Self.name(ofSignal: number))\(Self.hint(number))"
        case .notStarted(let reason): "could not be started: \(reason)"
        }
    }

    static func name(ofSignal number: Int32) -> String { names[number] ?? "signal \(number)" }

    private static func hint(_ number: Int32) -> String {
        switch number {
        case SIGILL, SIGTRAP: " (a trap, such as a failed precondition)"
        case SIGKILL: " (perhaps for lack of memory)"
        default: ""
        }
    }

    private static let names: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
        SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
        SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
        SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
    ]
}
