import EphemeralPostgres
import Testing

/// The first program of the README, run as its users run it, with everything that they can get wrong by hand.
///
/// One user makes one mistake after the other, on one server, and types what each error tells them to.
@Suite(.builtExamples, .timeLimit(.minutes(10)))
struct FirstProgramTests {
    static let success = "order A7: 40 charged, paid by Visa\n"

    @Test func `every mistake prints one sentence, and its remedy works`() async throws {
        var options = EphemeralPostgres.Options()
        options.tcp = .freePort
        options.password = "right"
        try await EphemeralPostgres.withServer(options) { server in
            let url = server.connectionString(database: "shop")

            try await server.halt()
            try await expect(
                3,
                "no connection to the database (connection to server at \"127.0.0.1\", port \(server.port) failed: "
                    + "Connection refused); start it, or correct ABSURD_DATABASE_URL", at: url)
            try await server.resume()

            try await expect(
                2,
                "the connection string cannot be read: missing \"=\" after \"…\" in connection info string; write it as "
                    + "postgresql://user:password@host:5432/database",
                at: url.replacing("postgresql://", with: "postgres//"))

            try await expect(
                3,
                "the database refused the user or the password; correct them in ABSURD_DATABASE_URL, or where they "
                    + "are not in it, PGUSER and PGPASSWORD", at: url.replacing(":right@", with: ":wrong@"))

            // With the right password in the address, or in PGPASSWORD where the address has none, the server goes on
            // to the next mistake.
            let account = "-h 127.0.0.1 -p \(server.port) -U \(EphemeralPostgres.user)"
            for (url, environment) in [
                (url, [:]), (url.replacing(":right@", with: "@"), ["PGPASSWORD": "right"]),
            ] {
                try await expect(
                    3,
                    "the server at 127.0.0.1, port \(server.port), has no database 'shop'; correct "
                        + "ABSURD_DATABASE_URL, or create it: createdb \(account) shop", at: url, environment)
            }
            let words = account.split(separator: " ").map(String.init) + ["shop"]
            try await Program.clientTool("createdb").run(words, ["PGPASSWORD": "right"]).expectSuccess()

            try await expect(
                4, "the database has no schema for workflows yet; run 'absurd migrate'", at: url,
                typing: "absurd migrate")
            try await expect(
                4,
                "queue 'default' does not exist; create it with createQueue(\"default\") or: "
                    + "absurd queue create default", at: url, typing: "absurd queue create default")

            try await expect(
                2, "two handlers are registered for task 'process_order'; remove one or rename its kind",
                at: url,
                program: "HandlerTwice")
            try await expect(
                1,
                "DecodingError: the parameters of task 'process_order' do not decode as Order: key 'amount' is "
                    + "missing at the top level; spawn it again with parameters of that type, or change the type",
                at: url, program: "WrongParameters")

            let first = try await Program.built("FirstProgram").run([], ["ABSURD_DATABASE_URL": url])
            #expect(first == Program.Outcome(status: 0, output: Self.success, error: ""))
        }
    }

    /// Runs a program, expects it to end with this status and this line, and types the command that the line names.
    private func expect(
        _ status: Int32, _ message: String, at url: String, _ environment: [String: String] = [:],
        program: String = "FirstProgram", typing command: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let environment = environment.merging(["ABSURD_DATABASE_URL": url]) { $1 }
        let outcome = try await Program.built(program).run([], environment)
        #expect(
            outcome == Program.Outcome(status: status, output: "", error: "error: \(message)\n"),
            sourceLocation: sourceLocation)
        guard let command else { return }
        #expect(message.contains(command), sourceLocation: sourceLocation)
        let words = command.split(separator: " ").map(String.init)
        try await Program.built(words[0]).run(Array(words.dropFirst()), environment).expectSuccess()
    }
}
