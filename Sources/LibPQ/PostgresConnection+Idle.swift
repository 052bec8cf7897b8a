#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

extension PostgresConnection {
    /// Whether something arrived, or the other side hung up, while nobody used the connection.
    ///
    /// Costs one system call. Only for whoever has the connection to itself.
    nonisolated var hasUnexpectedInput: Bool {
        guard isUsable else { return true }
        var byte: UInt8 = 0
        let count = unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)
    }
}
