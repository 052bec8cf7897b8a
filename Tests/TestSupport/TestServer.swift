import EphemeralPostgres
import Foundation
import LibPQ
import Logging
import Testing

/// The server that this process's tests share: a private one, or that of `ABSURD_TEST_DATABASE_URL`.
actor TestServer {
    /// The variable with the connection string of a server to use instead of a private one.
    static let urlVariable = "ABSURD_TEST_DATABASE_URL"

    private static let instance = Lazy { try await TestServer() }

    /// The server, started by the first test that needs one.
    ///
    /// A private server goes with this process, however that ends.
    static func shared() async throws -> TestServer {
        do {
            return try await instance.value
        } catch let error as EphemeralPostgresError where error.code == .binariesMissing && !runsInCI {
            try Test.cancel("\(error.message)")
        }
    }

    private let connectionString: ConnectionString
    private let admin: PostgresConnection
    /// Nil when the server is not ours.
    private let process: EphemeralPostgres?
    private let run = String(UInt32.random(in: 0x1000_0000 ... .max), radix: 16)
    private var templates: [DatabaseTrait.Contents: Lazy<String>] = [:]
    private var count = 0
    private let pooler: Lazy<PgBouncer>

    private init() async throws {
        if let url = ProcessInfo.processInfo.environment[Self.urlVariable], !url.isEmpty {
            process = nil
            connectionString = ConnectionString(url)
        } else {
            var options = EphemeralPostgres.Options()
            options.maxConnections = 300
            options.configuration = ["max_wal_senders = 0", "wal_level = minimal"]
            let process = try await EphemeralPostgres.start(options)
            self.process = process
            connectionString = ConnectionString(process.connectionString)
        }
        var configuration = PostgresConfiguration(connectionString: connectionString.text)
        // Making and dropping databases waits for checkpoints, and for every other session to take note.
        configuration.statementTimeout = .seconds(300)
        admin = try await PostgresConnection.connect(configuration, logger: .quiet)
        pooler = Lazy { [process] in
            guard let process else { throw PoolerFailure(description: "a pooler needs the private server") }
            return try await PgBouncer.start(socketDirectory: process.socketDirectory, port: process.port)
        }
        if process == nil {
            try await LeftOvers(admin).claim(run: run)
        }
    }

    /// Makes a database with these contents, under a name that nobody else has.
    func makeDatabase(_ contents: DatabaseTrait.Contents) async throws -> TestDatabase {
        let database = nextDatabase(try await PgBouncer.isWanted ? pooler.value : nil)
        if contents == .empty {
            try await admin.execute(script: "create database \(database.name)")
        } else if process == nil {
            // No template on somebody's server: it would have to outlive the last test.
            try await admin.execute(script: "create database \(database.name)")
            try await contents.install(into: database.connectionString)
        } else {
            let template = try await template(contents).value
            // Without fsync, copying files takes 30 ms, less than writing them through the log. Version 14
            // knows no other way, and no word for it.
            let strategy = admin.serverVersion >= 150_000 ? " strategy file_copy" : ""
            try await admin.execute(
                script: "create database \(database.name) template \(template)\(strategy)")
        }
        return database
    }

    /// The way to a database through PgBouncer.
    func pooled(_ database: TestDatabase) async throws -> String {
        try await pooler.value.connectionString(database: database.name)
    }

    func drop(_ database: TestDatabase) async throws {
        try await admin.execute(script: "drop database if exists \(database.name) with (force)")
    }

    private func nextDatabase(_ pooler: PgBouncer? = nil) -> TestDatabase {
        count += 1
        let name = "\(LeftOvers.prefix)\(run)_\(count)"
        return TestDatabase(
            name: name, connectionString: connectionString.naming(database: name),
            pooledConnectionString: pooler?.connectionString(database: name))
    }

    private func template(_ contents: DatabaseTrait.Contents) -> Lazy<String> {
        if let template = templates[contents] { return template }
        let database = nextDatabase()
        let template = Lazy { [admin] in
            try await admin.execute(script: "create database \(database.name)")
            try await contents.install(into: database.connectionString)
            return database.name
        }
        templates[contents] = template
        return template
    }
}

/// Whether a test that cannot run has to fail.
var runsInCI: Bool { ProcessInfo.processInfo.environment["CI"] == "true" }
