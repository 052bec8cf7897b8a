import Absurd
import EphemeralPostgres
import Foundation
import TestSupport
import Testing

/// What a user can do wrong by hand, what the command says to it, and its exit status.
struct Mistake: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let status: Int32
    /// What the one line on standard error contains.
    let says: [String]
    var input = ""

    init(_ arguments: String..., status: Int32, says: String..., input: String = "") {
        self.arguments = arguments
        self.status = status
        self.says = says
        self.input = input
    }

    var testDescription: String { arguments.map { $0.prefix(40) }.joined(separator: " ") }

    static let unknownID = "019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d"

    /// Found before a database is asked, with the usage as further lines.
    static let usage = [
        Mistake("cleanup", "q", "--older-than", "soon", status: 64, says: "30s, 5m, 2h", "'soon'"),
        Mistake("cleanup", "q", "--older-than", "-1d", status: 64, says: "--older-than"),
        Mistake("cleanup", "q", "--all", status: 64, says: "--all"),
        Mistake("cleanup", "-q", "q", "--all", status: 64, says: "--all"),
        Mistake("cleanup", "q", "-q", "q", status: 64, says: "twice"),
        Mistake("tasks", "--limit", "0", status: 64, says: "--limit must be from 1 to 1000"),
        Mistake("tasks", "--limit", "99999999999999999999", status: 64, says: "--limit"),
        Mistake("tasks", "--state", "done", status: 64, says: "completed"),
        Mistake("tasks", "--since", "yesterday", status: 64, says: "2026-01-31"),
        Mistake("task", "nonsense", status: 64, says: "absurd tasks"),
        Mistake("spawn", status: 64, says: "name"),
        Mistake("spawn", "t", "1", "--params", "2", status: 64, says: "twice"),
        Mistake("spawn", "t", "--max-attempts", "0", status: 64, says: "from 1"),
        Mistake("spawn", "t", "--retry", "fixed", "--retry-factor", "2", status: 64, says: "exponential"),
        Mistake("nonsense", status: 64, says: "nonsense"),
    ]

    /// On a database with the schemas and the queue `default`.
    static let refusals = [
        Mistake("spawn", "t", "{", status: 2, says: "the parameters must be JSON"),
        Mistake("spawn", "t", "text", status: 2, says: #"'"text"'"#),
        Mistake("spawn", "t", "", status: 2, says: "nothing was given"),
        Mistake("spawn", "t", "-", status: 2, says: "the parameters must be JSON", input: "[1,"),
        Mistake(
            "spawn", "t", #""\u0000""#, status: 2, says: "the parameters", #"NUL character \u0000"#,
            "leave it out"),
        Mistake(
            "spawn", "t", #"{"a":1,}"#, status: 2, says: "the parameters must be JSON", "comma", "character 7"
        ),
        Mistake("spawn", "t", "[1,]", status: 2, says: "comma", "character 3"),
        Mistake("spawn", "t", #"{a: 1}"#, status: 2, says: "must be JSON", "quotes", "character 2"),
        Mistake("spawn", "t", #"{'a': 1}"#, status: 2, says: "must be JSON", "double quotes"),
        Mistake("spawn", "t", "01", status: 2, says: "must be JSON"),
        Mistake("spawn", "t", "[1 2]", status: 2, says: "',' or ']'", "character 4"),
        Mistake("spawn", "t", "[NaN]", status: 2, says: "must be JSON"),
        Mistake("spawn", "t", "1e400", status: 2, says: "the number 1e400", "1.8e308"),
        Mistake("spawn", "t", "-H", "h:=[1,]", status: 2, says: "header 'h' must be JSON", "comma"),
        Mistake("spawn", "t", #""\ud800""#, status: 2, says: "JSON"),
        Mistake("spawn", "t", "[1] [2]", status: 2, says: "JSON"),
        Mistake(
            "spawn", "t", String(repeating: "[", count: 20_000) + String(repeating: "]", count: 20_000),
            status: 2,
            says: "JSON"),
        Mistake("spawn", " ", status: 2, says: "a task name must not be empty"),
        Mistake("spawn", "t", "--idempotency-key", "", status: 2, says: "--idempotency-key"),
        Mistake("spawn", "t", "-H", "novalue", status: 2, says: "key=text"),
        Mistake("spawn", "t", "--retry-base", "2d", status: 2, says: "one day"),
        Mistake("spawn", "t", "--retry-factor", "nan", status: 2, says: "finite"),
        Mistake("spawn", "t", "--retry-factor=-1", status: 2, says: "not negative"),
        Mistake("spawn", "t", "--end-within", "100000d", status: 2, says: "seconds"),
        Mistake(
            "spawn", "t", "-q", "nobody", status: 4, says: "queue 'nobody' does not exist",
            "absurd queue create nobody"),
        Mistake("emit", "", status: 2, says: "an event name must not be empty"),
        Mistake("emit", "e", #""\u0000""#, status: 2, says: "the payload", #"NUL character \u0000"#),
        Mistake("emit", "e", "nonsense", status: 2, says: "the payload must be JSON"),
        Mistake("emit", "e", "-q", "nobody", status: 4, says: "absurd queue create nobody"),
        Mistake("tasks", "-q", "nobody", status: 4, says: "absurd queue create nobody"),
        Mistake("queue", "policy", "nobody", status: 4, says: "absurd queue create nobody"),
        Mistake("queue", "drop", "nobody", "--yes", status: 4, says: "absurd queue create nobody"),
        Mistake("queue", "drop", "default", status: 2, says: "--yes"),
        Mistake("queue", "policy", "default", "--cleanup-ttl", "soon", status: 2, says: "30 days"),
        Mistake("queue", "policy", "default", "--cleanup-limit", "0", status: 2, says: "cleanup limit"),
        Mistake(
            "queue", "policy", "default", "--cleanup-limit", "99999999999999", status: 2,
            says: "the cleanup limit must be from 1 to 2147483647"),
        Mistake("queue", "create", "default", "--storage", "partitioned", status: 2, says: "default"),
        Mistake("cleanup", "nobody", status: 4, says: "absurd queue create nobody"),
        Mistake("cleanup", "-q", "nobody", status: 4, says: "absurd queue create nobody"),
        Mistake("dev", "--", "no-such-command", status: 127, says: "there is no command 'no-such-command'"),
        Mistake("dev", "--", "./no-such-command", status: 127, says: "no command './no-such-command'"),
        Mistake("task", unknownID, status: 5, says: "no queue has a task \(unknownID)", "absurd tasks"),
        Mistake("task", unknownID, "-q", "default", status: 5, says: "queue 'default' has no task"),
        Mistake("task", unknownID, "-q", "nobody", status: 4, says: "absurd queue create nobody"),
        Mistake("cancel", unknownID, status: 5, says: "no queue has a task"),
        Mistake("retry", unknownID, status: 5, says: "no queue has a task"),
    ]
}

@Suite(.timeLimit(.minutes(10)))
struct ErrorTableTests {
    @Test(arguments: Mistake.usage)
    func `a command line that makes no sense is told so, with the usage`(mistake: Mistake) async throws {
        let run = try await Command.run(mistake.arguments)
        #expect(run.status == mistake.status)
        #expect(run.output.isEmpty)
        for text in mistake.says { #expect(run.errors.contains(text), "\(run.errors)") }
    }

    @Test(.database(.migrated), arguments: Mistake.refusals)
    func `what cannot be done is said in one line`(mistake: Mistake) async throws {
        try await withClient { try await $0.createQueue("default") }
        let run = try await Command.run(
            mistake.arguments, environment: ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString],
            input: mistake.input)
        #expect(run.status == mistake.status, "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix("error: "))
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        for text in mistake.says { #expect(run.errors.contains(text), "\(run.errors)") }
    }

    @Test(
        .database(.empty),
        arguments: [
            ["tasks"], ["queue", "list"], ["queue", "create", "q"], ["spawn", "t"], ["emit", "e"],
            ["cleanup", "q"], ["version", "--schema"], ["task", Mistake.unknownID],
        ])
    func `a database without the schema wants a migration, which helps`(arguments: [String]) async throws {
        let url = ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString]
        let run = try await Command.run(arguments, environment: url)
        #expect(run.status == 4)
        #expect(run.errors == "error: the database has no schema for workflows yet; run 'absurd migrate'\n")
        #expect(try await Command.shell("absurd migrate", environment: url).status == 0)
        #expect(try await !Command.run(arguments, environment: url).errors.contains("migrate"))
    }

    @Test func `a server that is not there is started, and then it is`() async throws {
        try await EphemeralPostgres.withServer { server in
            let url = server.connectionString
            try await server.halt()
            let run = try await Command.run(["migrate", "--database", url])
            #expect(run.status == 3)
            #expect(run.errors.hasPrefix("error: no connection to the database ("))
            #expect(run.errors.contains("start it, or correct --database"))
            #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
            try await server.resume()
            #expect(try await Command.run(["migrate", "--database", url]).status == 0)
        }
    }

    @Test func `without an address the program says how to set one`() async throws {
        let run = try await Command.run(["tasks"], environment: ["PGHOST": "/nowhere"])
        #expect(run.status == 3)
        #expect(
            run.errors.hasSuffix(
                "; start it, or set ABSURD_DATABASE_URL, or run the program under absurd dev -- PROGRAM\n"),
            "\(run.errors)")
        let option = try await Command.run(["tasks", "--database", "host=/nowhere"])
        #expect(option.errors.hasSuffix("; start it, or correct --database\n"), "\(option.errors)")
    }

    @Test func `a wrong password, user or database is named, and no password is ever shown`() async throws {
        var options = EphemeralPostgres.Options()
        options.tcp = .freePort
        options.authentication = .scramSHA256
        options.password = "s3cret"
        try await EphemeralPostgres.withServer(options) { server in
            try await aWrongOrMissingPassword(server)
            try await aMissingDatabase(server)
            try await aPasswordThatIsNotEscaped(server)
            let encrypted = server.connectionString + "?sslmode=require"
            let run = try await Command.run(["migrate", "--database", encrypted])
            #expect(run.status == 3)
            #expect(run.errors.contains("server does not support SSL"))
            #expect(run.errors.contains("); correct sslmode"), "\(run.errors)")
            #expect(
                try await Command.run(["migrate", "--database", server.connectionString + "?sslmode=disable"])
                    .status == 0)
        }
    }

    private func aWrongOrMissingPassword(_ server: EphemeralPostgres) async throws {
        let wrong = server.connectionString(user: "postgres", password: "wr0ng")
        let refused = try await Command.run(["migrate"], environment: ["ABSURD_DATABASE_URL": wrong])
        #expect(refused.status == 3)
        #expect(
            refused.errors.contains("refused the user or the password; correct them in ABSURD_DATABASE_URL"))
        #expect(!refused.errors.contains("wr0ng"))
        let parts = [
            "PGHOST": "127.0.0.1", "PGPORT": "\(server.port)", "PGUSER": "postgres", "PGDATABASE": "postgres",
        ]
        let unset = try await Command.run(
            ["migrate"], environment: parts.merging(["PGPASSWORD": "wr0ng"]) { $1 })
        #expect(unset.errors.contains("; set PGUSER and PGPASSWORD, or both in"), "\(unset.errors)")

        let none = server.connectionString(user: "postgres")
        let asked = try await Command.run(["migrate"], environment: ["ABSURD_DATABASE_URL": none])
        #expect(asked.status == 3)
        #expect(
            asked.errors
                == "error: the database wants a password and there is none; set PGPASSWORD, or write it into "
                + "ABSURD_DATABASE_URL as postgresql://user:password@host:5432/database\n")
        // The remedies: the variable, and the place in the URL.
        for remedy in [
            ["ABSURD_DATABASE_URL": none, "PGPASSWORD": "s3cret"],
            ["ABSURD_DATABASE_URL": server.connectionString(user: "postgres", password: "s3cret")],
        ] {
            let helped = try await Command.run(["migrate"], environment: remedy)
            #expect(helped.status == 0, "\(helped.errors)")
        }
    }

    private func aMissingDatabase(_ server: EphemeralPostgres) async throws {
        for transport in [EphemeralPostgres.Transport.tcp, .unixSocket] {
            let name = transport == .tcp ? "nobody's" : "-x"
            let missing = server.connectionString(database: name, over: transport)
            let lost = try await Command.run(["migrate", "--database", missing])
            #expect(lost.status == 3)
            #expect(lost.errors.contains("has no database '\(name)'; correct --database, or create it: "))
            #expect(!lost.errors.contains("s3cret"))
            let command = try #require(lost.errors.firstRange(of: "createdb -h "))
            let typed = String(lost.errors[command.lowerBound...])
            let tools = try await ServerBinaries.find().folder
            let made = try await Command.shell(
                "PATH='\(tools)':$PATH; \(typed)", environment: ["PGPASSWORD": "s3cret"])
            #expect(made.status == 0, "\(typed)\(made.errors)")
            #expect(try await Command.run(["migrate", "--database", missing]).status == 0)
        }
    }

    private func aPasswordThatIsNotEscaped(_ server: EphemeralPostgres) async throws {
        let place = "127.0.0.1:\(server.port)/postgres"
        for (password, status) in [("hun@ter2", 2), ("hun/ter2", 2), ("p@ss/w", 3)] as [(String, Int32)] {
            let run = try await Command.run([
                "tasks", "--database", "postgresql://postgres:\(password)@\(place)",
            ])
            #expect(run.status == status, "\(run.errors)")
            #expect(
                run.errors.contains("characters such as @ : / % in a password are written %40 %3A %2F %25"),
                "\(run.errors)")
            #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
            for part in ["hun", "ter2", "\"ss\""] { #expect(!run.errors.contains(part), "\(run.errors)") }
            #expect(!run.errors.contains("addre*"))
        }
    }

    @Test func `a role that may not migrate is told what to ask for`() async throws {
        try await EphemeralPostgres.withServer { server in
            func execute(_ sql: String) async throws {
                try await withAbsurd(AbsurdConfiguration(server.connectionString), logger: .quiet) { client in
                    _ = try await client.query(sql)
                }
            }
            try await execute("create role \"Bob\" login")
            try await execute("create database shop")
            let database = server.connectionString(database: "shop", user: "Bob")
            let refused = try await Command.run(["migrate", "--database", database])
            #expect(refused.status == 4)
            #expect(
                refused.errors
                    == "error: the database role may not install the schemas; connect as the owner of the database, "
                    + "or ask for: GRANT CREATE ON DATABASE shop TO \"Bob\"\n")
            let grant = try #require(refused.errors.firstRange(of: "GRANT"))
            try await execute(String(refused.errors[grant.lowerBound...]))
            #expect(try await Command.run(["migrate", "--database", database]).status == 0)

            #expect(try await Command.run(["migrate", "--database", server.connectionString]).status == 0)
            let other = server.connectionString(user: "Bob")
            let owned = try await Command.run(["migrate", "--database", other])
            #expect(owned.status == 4)
            #expect(
                owned.errors.contains("; connect as postgres, who owns the schema absurd\n"),
                "\(owned.errors)")
        }
    }

    @Test(arguments: [
        "nonsense", "http://localhost/x", "postgresql://[::1/x", "host=x nokey",
        "postgresql://u:s3cret%zz@h/d",
    ])
    func `a connection string that is none is refused with the form of one`(url: String) async throws {
        let run = try await Command.run(["tasks"], environment: ["ABSURD_DATABASE_URL": url])
        #expect(run.status == 2)
        #expect(run.errors.contains("postgresql://user:password@host:5432/database"), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        #expect(!run.errors.contains("s3cret"))
        #expect(run.errors.contains("%40 %3A %2F") == url.hasPrefix("postgresql://"), "\(run.errors)")
    }

    @Test(arguments: [
        ("dbnam=shop", #"invalid connection option "dbnam""#),
        ("postgresql://localhost:abc/x", #""abc" for connection option "port""#),
        ("postgresql://localhost/x?sslmode=some", #"invalid sslmode value: "some""#),
    ])
    func `a setting that is none is named, and is no outage`(url: String, says: String) async throws {
        let run = try await Command.run(["tasks"], environment: ["ABSURD_DATABASE_URL": url])
        #expect(run.status == 2)
        #expect(run.errors.contains(says), "\(run.errors)")
        #expect(!run.errors.contains("start it"))
    }

    @Test func `a service that is not there is named, and the way to make it one`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "services-\(UUID())")
        try Data("[other]\nhost=/nowhere\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let run = try await Command.run(
            ["tasks"], environment: ["PGSERVICE": "mine", "PGSERVICEFILE": file.path])
        #expect(run.status == 2)
        #expect(
            run.errors.contains(#"definition of service "mine" not found; add the service"#), "\(run.errors)")
        #expect(run.errors.contains("correct PGSERVICE"))
    }

    @Test(.database(.migrated)) func `only a failed task is retried, and the limit must leave an attempt`()
        async throws
    {
        let id = try await withClient { client in
            try await client.createQueue("default")
            return try await client.spawn("t", params: nil).taskID
        }
        let early = try await absurd("retry", "\(id)")
        #expect(early.status == 5)
        #expect(early.errors.contains("\(id)"))
        try await withClient { client in
            let run = try await client.claimRuns(workerID: "w")[0]
            try await client.fail(run, TaskFailure("no", retry: .never))
        }
        #expect(try await absurd("retry", "\(id)", "--max-attempts", "1").status == 2)
        #expect(try await succeeding("retry", "\(id)", "--max-attempts", "2").status == 0)
    }
}
