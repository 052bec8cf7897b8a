import Foundation
import Synchronization

/// A line between a client and a server on this machine, which a test can cut, silence or slow down.
///
/// On threads of its own, two for each connection, so that what it does to a connection holds up nobody else.
package final class TCPProxy: Sendable {
    package enum Line: Sendable, Equatable {
        case open
        /// Connections are closed, and new ones as soon as they are made.
        case cut
        /// As when packets are dropped: nothing passes, nobody is told, new connections wait for the end.
        ///
        /// Connections from before stay dead afterwards, as when a firewall on the way has forgotten them.
        case silent
        /// Whatever passes takes this much longer, each way.
        case slow(milliseconds: Int)
    }

    private struct State {
        var line = Line.open
        var links: [ObjectIdentifier: ProxyLink] = [:]
        var accepted = 0
        var isOver = false
        /// False once the thread that accepts has closed the socket, whose number may be another's by then.
        var isListening = true
    }

    package let port: Int
    private let targetPort: Int
    private let listener: Int32
    private let state = Mutex(State())

    /// Listens on a free port of 127.0.0.1 and connects to another.
    package init(to targetPort: Int) throws {
        self.targetPort = targetPort
        (listener, port) = try listeningSocket()
        Thread.detachNewThread {
            self.accept()
            self.state.withLock { state in
                state.isListening = false
                _ = Foundation.close(self.listener)
            }
        }
    }

    /// How many connections were made to it, those that it closed at once included.
    package var accepted: Int { state.withLock(\.accepted) }

    package func become(_ line: Line) {
        let links = state.withLock { state in
            state.line = line
            return Array(state.links.values)
        }
        switch line {
        case .cut: for link in links { link.end() }
        case .silent: for link in links { link.forget() }
        case .open, .slow: break
        }
    }

    /// Forgets one connection, as ``Line/silent`` does all; others pass.
    ///
    /// - Parameter clientPort: The port from which the server sees it come.
    package func forget(clientPort: Int) {
        for link in state.withLock({ Array($0.links.values) }) where link.clientPort == clientPort {
            link.forget()
        }
    }

    /// Whether the server sees a connection of this proxy come from there.
    package func carries(_ clientPort: Int) -> Bool {
        state.withLock { $0.links.values.contains { $0.clientPort == clientPort } }
    }

    package func close() {
        let links = state.withLock { state -> [ProxyLink]? in
            guard !state.isOver else { return nil }
            state.isOver = true
            return Array(state.links.values)
        }
        guard let links else { return }
        for link in links { link.end() }
        // Closed by its thread: closed here, the thread might go on to accept from whoever gets the number next.
        state.withLock { if $0.isListening { shutdown(listener, Int32(SHUT_RDWR)) } }
    }

    var line: Line { state.withLock(\.line) }

    private func accept() {
        while !state.withLock(\.isOver) {
            // The kernel keeps those who come meanwhile.
            guard line != .silent else {
                Thread.sleep(forTimeInterval: 0.005)
                continue
            }
            var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20) > 0 else { continue }
            guard line != .silent else { continue }
            let client = Foundation.accept(listener, nil, nil)
            guard client >= 0 else { return }
            state.withLock { $0.accepted += 1 }
            connect(client)
        }
    }

    private func connect(_ client: Int32) {
        let server = line == .cut ? -1 : connectedSocket(to: targetPort)
        guard server >= 0 else {
            _ = Foundation.close(client)
            return
        }
        let link = ProxyLink(client: client, server: server)
        state.withLock { $0.links[ObjectIdentifier(link)] = link }
        for (from, to) in [(client, server), (server, client)] {
            Thread.detachNewThread {
                link.pump(from, to) { self.line }
                if link.closeOnce() {
                    self.state.withLock { _ = $0.links.removeValue(forKey: ObjectIdentifier(link)) }
                }
            }
        }
        // The line may have changed before the link was known.
        if line == .cut { link.end() }
    }
}

/// The two sockets of one connection through a ``TCPProxy``.
final class ProxyLink: Sendable {
    private let client: Int32
    private let server: Int32
    private let isForgotten = Atomic<Bool>(false)
    /// How many of the two pumps are done.
    private let done = Mutex(0)

    /// From which the server sees the connection come.
    let clientPort: Int

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
        self.clientPort = localPort(of: server)
    }

    func forget() { isForgotten.store(true, ordering: .relaxed) }

    /// Has both pumps end.
    func end() {
        done.withLock { done in
            guard done < 2 else { return }
            shutdown(client, Int32(SHUT_RDWR))
            shutdown(server, Int32(SHUT_RDWR))
        }
    }

    /// True for the second pump, which closes the sockets.
    func closeOnce() -> Bool {
        done.withLock { done in
            done += 1
            guard done == 2 else { return false }
            close(client)
            close(server)
            return true
        }
    }

    func pump(_ from: Int32, _ to: Int32, line: () -> TCPProxy.Line) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            // A side that has hung up behind a line that forgot it is not heard by the other.
            guard count > 0 else {
                if !isForgotten.load(ordering: .relaxed) || from == client { end() }
                return
            }
            if case .slow(let milliseconds) = line() {
                Thread.sleep(forTimeInterval: Double(milliseconds) / 1000)
            }
            if isForgotten.load(ordering: .relaxed) { continue }
            var sent = 0
            while sent < count {
                let written = buffer[sent..<count].withUnsafeBytes {
                    send(to, $0.baseAddress, $0.count, noSignal)
                }
                guard written > 0 else { return end() }
                sent += written
            }
        }
    }
}
