import Absurd
import ArgumentParser
import BenchmarkSupport
import Foundation
import LibPQ

/// Claims one task at a time behind many due runs and behind few, in turn, so that both meet the same machine.
struct ClaimFlatness: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claims",
        abstract: "Compares claiming behind a long queue of due runs with behind a short one.")

    @Option(help: "Due runs in the long queue.")
    var long = 1_000_000

    @Option(help: "Due runs in the short queue.")
    var short = 1000

    @Option(help: "Claims from each queue through each function.")
    var claims = 1000

    @Option(help: "How many times as long a claim behind the long queue may take.")
    var bound = 1.25

    @OptionGroup var report: ReportOptions

    /// The first rounds prepare the statements and read pages in; they do not count.
    private static let extraRounds = 20

    func run() async throws {
        // A short pause between two rounds of autovacuum, so that the statistics are there soon; all else is default.
        let figures = try await PrivateDatabase.with(["autovacuum_naptime = '1s'"]) { database in
            let backlog = Backlog(database: database)
            // What is claimed goes on top, so that a backlog of the given size is left behind the last claim.
            let taken = (claims + Self.extraRounds) * ClaimFunction.allCases.count
            try await backlog.fill("long", with: long + taken)
            try await backlog.fill("short", with: short + taken)
            try await backlog.waitForStatistics(of: ["long", "short"])
            return try await measure(database)
        }
        try figures.publish(report)
    }

    private func measure(_ database: PrivateDatabase) async throws -> Report {
        let connection = try await database.connect()
        var times: [String: [Double]] = [:]
        for round in -Self.extraRounds..<claims {
            for function in ClaimFunction.allCases {
                // Neither queue always comes first.
                for queue in round.isMultiple(of: 2) ? ["long", "short"] : ["short", "long"] {
                    let time = try await function.claimAndComplete(queue, connection)
                    if round >= 0 { times["\(function.rawValue) \(queue)", default: []].append(time) }
                }
            }
        }
        await connection.close()
        return figures(times)
    }

    private func figures(_ times: [String: [Double]]) -> Report {
        var report = Report(
            measurement: "Claims of one task behind \(long) due runs and behind \(short), \(claims) of each")
        for function in ClaimFunction.allCases {
            for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
                let inLong = (times["\(function.rawValue) long"] ?? []).percentile(share) * 1000
                let inShort = (times["\(function.rawValue) short"] ?? []).percentile(share) * 1000
                report.add("\(function.rawValue) \(name) behind \(long)", inLong, "ms")
                report.add("\(function.rawValue) \(name) behind \(short)", inShort, "ms")
                report.add("\(function.rawValue) \(name) ratio", inLong / inShort)
                report.promise(
                    "\(function.rawValue): \(name) at most \(bound) times as long", inLong / inShort <= bound)
            }
        }
        return report
    }
}

/// The two ways to claim and complete one run.
enum ClaimFunction: String, CaseIterable {
    case base = "absurd.claim_task"
    case batch = "absurd_swift.claim"

    /// Returns how many seconds the claim took; completing is not measured.
    func claimAndComplete(_ queue: String, _ connection: PostgresConnection) async throws -> Double {
        let start = ContinuousClock.now
        let rows = try await connection.query(claim, [.text(queue)])
        let time = ContinuousClock.now - start
        guard rows.count == 1 else {
            throw MeasurementError("a claim from '\(queue)' returned \(rows.count) runs")
        }
        let run: SQLParameter = .uuid(try rows[0].decode("run_id"))
        switch self {
        case .base:
            _ = try await connection.query("select absurd.complete_run($1, $2, '1')", [.text(queue), run])
        case .batch:
            let answer: String? = try await connection.query(
                """
                select answer from absurd_swift.finish(
                  $1, 'measuring', array[$2::uuid], array[$3::timestamptz], array['complete'], array['1'],
                  array[null::text], array[null::timestamptz], array[null::float8])
                """, [.text(queue), run, .timestamp(try rows[0].decode("token"))]
            ).first?.decode("answer")
            guard answer == "done" else { throw MeasurementError("a run was not completed") }
        }
        return time.seconds
    }

    private var claim: String {
        switch self {
        case .base: "select * from absurd.claim_task($1, 'measuring', 30, 1)"
        case .batch: "select * from absurd_swift.claim($1, 'measuring', 30, 1)"
        }
    }
}
