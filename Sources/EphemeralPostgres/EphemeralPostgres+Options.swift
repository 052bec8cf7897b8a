extension EphemeralPostgres {
    /// What kind of server is wanted.
    ///
    /// The defaults are those for tests: reachable through a Unix socket
    /// only, no password, and quick rather than safe from a power failure.
    package struct Options: Sendable {
        /// The folder with `postgres` and `initdb`; nil to search for it (see ``ServerBinaries``).
        package var binaries: String?

        /// Whether commits survive a crash of the machine.
        ///
        /// A crash of the server alone loses nothing either
        /// way. Off by default.
        package var isDurable = false

        /// Whether the server listens on 127.0.0.1 too.
        ///
        /// The Unix socket is always there.
        package var tcp: TCP = .off

        /// How users prove who they are.
        ///
        /// Nil, the default, asks for nothing while there is only the Unix
        /// socket, whose directory is closed to other users, and for a password when TCP is on.
        package var authentication: Authentication?

        /// The superuser's password; made up when one is needed and none is given.
        package var password: String?

        /// Whether the server offers TLS, with a certificate made for it: ``EphemeralPostgres/certificate``.
        ///
        /// Needs the `openssl` command. libpq speaks TLS over TCP only.
        package var offersTLS = false

        /// The most connections at once.
        package var maxConnections = 100

        /// Lines for `postgresql.conf`, after ours, so that they win.
        package var configuration: [String] = []

        /// Lines for `pg_hba.conf`, before ours, so that they win.
        package var accessRules: [String] = []

        /// Where the data lives.
        ///
        /// It is made when it is empty or missing, used as it is otherwise, and kept
        /// afterwards. Nil, the default, for data that goes with the server.
        package var dataDirectory: String?

        /// How long the server may take until it accepts connections, recovery included.
        package var startTimeout: Duration = .seconds(60)

        package init() {}
    }

    /// Whether and where a server listens beside its Unix socket.
    package enum TCP: Hashable, Sendable {
        case off
        case freePort
        case port(Int)
    }

    /// The methods of `pg_hba.conf` that a private server is asked for.
    package enum Authentication: String, Sendable {
        case trust
        case password
        case md5
        case scramSHA256 = "scram-sha-256"
    }
}

extension EphemeralPostgres.Options {
    var effectiveAuthentication: EphemeralPostgres.Authentication {
        authentication ?? (tcp == .off && password == nil ? .trust : .scramSHA256)
    }

    var effectivePassword: String? {
        guard effectiveAuthentication != .trust else { return password }
        return password ?? String(UInt64.random(in: .min ... .max), radix: 36)
    }

    func choosePort() throws -> Int {
        switch tcp {
        case .off: 5432
        case .port(let port): port
        case .freePort: try freeLoopbackPort()
        }
    }
}
