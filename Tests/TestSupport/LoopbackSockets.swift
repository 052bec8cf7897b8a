import Foundation

#if canImport(Glibc)
import Glibc
let noSignal = Int32(MSG_NOSIGNAL)
private let stream = Int32(SOCK_STREAM.rawValue)
#else
import Darwin
let noSignal: Int32 = 0
private let stream = SOCK_STREAM
#endif

struct SocketFailure: Error, CustomStringConvertible {
    var description = String(cString: strerror(errno))
}

/// A socket that listens on a free port of 127.0.0.1.
func listeningSocket() throws -> (descriptor: Int32, port: Int) {
    let descriptor = makeSocket()
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withAddress(of: 0) { bind(descriptor, $0, length) }
    guard descriptor >= 0, status == 0, listen(descriptor, 512) == 0 else { throw SocketFailure() }
    let port = localPort(of: descriptor)
    guard port > 0 else { throw SocketFailure() }
    return (descriptor, port)
}

/// The port of this end of a socket; 0 when it has none.
func localPort(of descriptor: Int32) -> Int {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return status == 0 ? Int(UInt16(bigEndian: address.sin_port)) : 0
}

/// A socket that is connected to a port of 127.0.0.1; negative when nobody listens there.
func connectedSocket(to port: Int) -> Int32 {
    let descriptor = makeSocket()
    guard descriptor >= 0 else { return -1 }
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    guard withAddress(of: port, { connect(descriptor, $0, length) }) == 0 else {
        close(descriptor)
        return -1
    }
    return descriptor
}

private func makeSocket() -> Int32 {
    let descriptor = socket(AF_INET, stream, 0)
    guard descriptor >= 0 else { return -1 }
    // The servers and tools that tests start must not keep it open.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    #if !canImport(Glibc)
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout<Int32>.size))
    #endif
    return descriptor
}

private func withAddress(of port: Int, _ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
    }
}
