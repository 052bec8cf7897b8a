import Foundation

extension EphemeralPostgres {
    /// Waits until nobody listens on the server's socket any more: it was stopped, or it ended by itself.
    ///
    /// Looks once a second.
    ///
    /// - Throws: `CancellationError`.
    package func untilGone() async throws {
        while isListening { try await Task.sleep(for: .seconds(1)) }
    }

    /// Whether a connection comes about, which the server does not log when nothing is sent.
    ///
    /// Neither the lock file nor the process would tell: the one stays behind after a crash, the other until its
    /// parent has asked for it.
    private var isListening: Bool {
        #if canImport(Glibc)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        // Without a descriptor nothing is known.
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { path in
            path.copyBytes(from: "\(socketDirectory)/.s.PGSQL.\(port)".utf8.prefix(path.count - 1))
        }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return status == 0 || (errno != ECONNREFUSED && errno != ENOENT)
    }
}
