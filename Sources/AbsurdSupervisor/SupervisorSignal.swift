#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A signal for the children.
public struct SupervisorSignal: Sendable, Hashable, CustomStringConvertible {
    public let number: Int32

    public init(number: Int32) { self.number = number }

    public static let terminate = SupervisorSignal(number: SIGTERM)
    public static let kill = SupervisorSignal(number: SIGKILL)
    public static let user1 = SupervisorSignal(number: SIGUSR1)
    public static let user2 = SupervisorSignal(number: SIGUSR2)

    public var description: String { ProcessEnd.name(ofSignal: number) }

    /// Sends it to a process group; one that is no more is nobody's error.
    func send(toGroup group: Int32) {
        // Groups 0 and 1 would be our own and everybody.
        guard group > 1 else { return }
        #if canImport(Glibc)
        _ = Glibc.kill(-group, number)
        #elseif canImport(Musl)
        _ = Musl.kill(-group, number)
        #else
        _ = Darwin.kill(-group, number)
        #endif
    }
}
