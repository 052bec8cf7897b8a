import Foundation

/// A TCP listener that never answers: either it takes connections and says nothing, or its queue is full, so
/// that not even a connection comes about.
final class SilentListener: Sendable {
    let port: Int
    private let descriptors: [Int32]

    init(isFull: Bool) throws {
        let (listener, port) = try Self.bindToFreePort()
        guard listen(listener, 0) == 0 else { throw CocoaError(.fileNoSuchFile) }
        var descriptors = [listener]
        if isFull {
            // One more than the queue of a listener with backlog zero takes, plus some that are in doubt.
            for _ in 0..<4 { descriptors.append(Self.connectWithoutWaiting(to: port)) }
        }
        self.port = port
        self.descriptors = descriptors
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    fileprivate static func bindToFreePort() throws -> (descriptor: Int32, port: Int) {
        let descriptor = tcpSocket()
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
            }
        }
        guard status == 0 else { throw CocoaError(.fileNoSuchFile) }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    private static func connectWithoutWaiting(to port: Int) -> Int32 {
        let descriptor = tcpSocket()
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var address = loopback(port: port)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return descriptor
    }

    private static func tcpSocket() -> Int32 {
        #if canImport(Glibc)
        socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        socket(AF_INET, SOCK_STREAM, 0)
        #endif
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        address.sin_port = in_port_t(port).bigEndian
        return address
    }
}

/// A TCP port that refuses connections: taken, so that nobody else comes to listen there, and not listened on.
final class RefusingPort: Sendable {
    let number: Int
    private let descriptor: Int32

    init() throws {
        (descriptor, number) = try SilentListener.bindToFreePort()
    }

    deinit { close(descriptor) }
}
