/// Where a connection was to go, and as whom.
package struct ConnectionTarget: Sendable, Hashable {
    /// A name, an address or the folder of a Unix socket.
    package var host: String
    package var port: String
    package var user: String
    package var database: String

    package init(host: String, port: String, user: String, database: String) {
        self.host = host
        self.port = port
        self.user = user
        self.database = database
    }

    /// - Parameter options: those in force; nil when something is missing in them.
    init?(_ current: HostList.Host, options: [String: String]) {
        // A name beside an address is for certificates only.
        let host = options["hostaddr"].flatMap { $0.isEmpty ? nil : current.address } ?? current.name
        guard let host, !host.isEmpty, let port = current.port, let user = options["user"],
            let database = options["dbname"]
        else { return nil }
        self.init(host: host, port: port, user: user, database: database)
    }

    var parts: [String] { [host, port, user, database] }
}

/// What of the settings keeps a connection from being made, as far as libpq's message tells.
package enum ConnectionFault: Sendable {
    /// The value of an option.
    case setting
    /// The service, or the file with services.
    case service
    /// TLS, which one side wants and the other does not have, or a certificate.
    case encryption
    /// A password in a URL, by all appearances with characters that have a meaning there.
    case escaping

    /// Whether no server was asked, and none would help.
    var isOfForm: Bool { self == .setting || self == .service }
}
