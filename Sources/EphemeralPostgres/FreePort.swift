import Foundation

/// A TCP port that nothing listened on a moment ago.
///
/// Between this answer and the server's bind somebody else can take it; the caller tries again then.
func freeLoopbackPort() throws -> Int {
    #if canImport(Glibc) || canImport(Musl)
    let kind = Int32(SOCK_STREAM.rawValue)
    #else
    let kind = SOCK_STREAM
    #endif
    let descriptor = socket(AF_INET, kind, 0)
    guard descriptor >= 0 else { throw systemFailure("make a socket") }
    defer { close(descriptor) }

    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
        }
    }
    guard status == 0 else { throw systemFailure("find a free port") }
    return Int(UInt16(bigEndian: address.sin_port))
}

private func systemFailure(_ action: String) -> EphemeralPostgresError {
    EphemeralPostgresError(
        code: .serverFailed, message: "Could not \(action): \(String(cString: strerror(errno))).")
}
