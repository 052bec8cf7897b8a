import Foundation
import Synchronization

/// A TCP proxy before the server, whose line is cut, held, lost or slowed down.
///
/// Each connection has a thread of its own, which looks at the state of the line and then at both sockets. What waits
/// while the line is held waits in the buffers of the system, as in a network that comes back.
final class Proxy: Sendable {
    private struct Line {
        var isHeld = false
        var delay = 0
        /// Connections older than the last cut are reset; those older than the last loss carry nothing again.
        var cuts = 0
        var losses = 0
        var isClosed = false
    }

    let port: Int
    private let listener: Int32
    private let server: Int
    private let line = Mutex(Line())

    /// - Parameter server: the server's port.
    init(server: Int) throws {
        self.server = server
        (listener, port) = try LoopbackSocket.listening()
        Thread.detachNewThread { self.accept() }
    }

    func cut() { line.withLock { $0.cuts += 1 } }
    func lose() { line.withLock { $0.losses += 1 } }
    func hold() { line.withLock { $0.isHeld = true } }
    func slow(by milliseconds: Int) { line.withLock { $0.delay = milliseconds } }

    /// Lets data pass at once again; what was cut or lost remains so.
    func heal() {
        line.withLock {
            $0.isHeld = false
            $0.delay = 0
        }
    }

    /// Ends its threads soon.
    func close() { line.withLock { $0.isClosed = true } }

    private func accept() {
        while true {
            let now = line.withLock { $0 }
            if now.isClosed { break }
            guard !now.isHeld, Self.wait(for: [listener])[0] else {
                Thread.sleep(forTimeInterval: 0.005)
                continue
            }
            let client = Self.accepted(listener)
            guard client >= 0 else { continue }
            LoopbackSocket.keep(client)
            guard let server = LoopbackSocket.connected(port: server) else {
                LoopbackSocket.reset(client)
                continue
            }
            Thread.detachNewThread { self.carry(client, server, since: now) }
        }
        _ = Foundation.close(listener)
    }

    private static func accepted(_ listener: Int32) -> Int32 { Foundation.accept(listener, nil, nil) }

    private func carry(_ client: Int32, _ server: Int32, since start: Line) {
        defer {
            LoopbackSocket.reset(client)
            LoopbackSocket.reset(server)
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let now = line.withLock { $0 }
            if now.isClosed || now.cuts > start.cuts { return }
            if now.isHeld || now.losses > start.losses {
                Thread.sleep(forTimeInterval: 0.02)
                continue
            }
            let ready = Self.wait(for: [client, server])
            if now.delay > 0, ready.contains(true) {
                Thread.sleep(forTimeInterval: Double(now.delay) / 1000)
            }
            if ready[0], !Self.pass(from: client, to: server, &buffer) { return }
            if ready[1], !Self.pass(from: server, to: client, &buffer) { return }
        }
    }

    /// Which of the sockets have something to read, or have ended; after 20 ms at the latest.
    private static func wait(for descriptors: [Int32]) -> [Bool] {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polled, nfds_t(polled.count), 20)
        return polled.map { $0.revents != 0 }
    }

    /// False when one of the two has ended.
    private static func pass(from source: Int32, to target: Int32, _ buffer: inout [UInt8]) -> Bool {
        let count = read(source, &buffer, buffer.count)
        guard count > 0 else { return false }
        var written = 0
        while written < count {
            let part = buffer[written..<count].withUnsafeBytes { write(target, $0.baseAddress, $0.count) }
            guard part > 0 else { return false }
            written += part
        }
        return true
    }
}
