import Foundation

extension EphemeralPostgres {
    /// The way a connection string takes to the server.
    package enum Transport: Sendable {
        case unixSocket
        case tcp
    }

    /// A connection string for the superuser and the database `postgres`: over TCP if the server listens
    /// there, else over the Unix socket.
    package var connectionString: String { connectionString() }

    /// A connection string in URI form, as libpq and other drivers understand it.
    ///
    /// Without `user` it names the superuser with their password.
    package func connectionString(
        database: String = "postgres",
        user: String? = nil,
        password: String? = nil,
        over transport: Transport? = nil
    ) -> String {
        let transport = transport ?? (options.tcp == .off ? .unixSocket : .tcp)
        var authority = percentEncoded(user ?? Self.user)
        if let password = password ?? (user == nil ? self.password : nil) {
            authority += ":" + percentEncoded(password)
        }
        let path = percentEncoded(database)
        return switch transport {
        case .unixSocket:
            "postgresql://\(authority)@/\(path)?host=\(percentEncoded(socketDirectory))&port=\(port)"
        case .tcp:
            "postgresql://\(authority)@127.0.0.1:\(port)/\(path)"
        }
    }

    /// The file with the server's certificate, good as `sslrootcert`, when it offers TLS.
    package var certificate: String { socketDirectory + "/server.crt" }

    /// Everything the server has logged so far.
    package func log() throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: socketDirectory + "/log")), as: UTF8.self)
    }
}

/// Only what RFC 3986 never gives a meaning stays as it is.
private func percentEncoded(_ text: String) -> String {
    let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
    return text.utf8.reduce(into: "") { encoded, byte in
        if unreserved.contains(byte) {
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            let hex = String(byte, radix: 16, uppercase: true)
            encoded += hex.count == 1 ? "%0\(hex)" : "%\(hex)"
        }
    }
}
