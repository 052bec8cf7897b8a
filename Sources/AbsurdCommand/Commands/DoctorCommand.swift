import Absurd
import ArgumentParser

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check the database and its queues, and say what to do.",
        discussion: """
            Looks at the connection, the versions, the schemas, the privileges, poolers, the clocks, notifications, \
            vacuuming and each queue. Changes nothing. The exit status is 0 unless a check fails: 3 when the database \
            is out of reach, else 4.
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let findings = try await Doctor(database.configuration).examine()
        try show(output.json ? findings.json.text : findings.text)
        guard findings.status == .failed else { return }
        throw ExitCode(
            findings.contains { $0.check == Doctor.connectionCheck } && findings.count == 1 ? 3 : 4)
    }
}
