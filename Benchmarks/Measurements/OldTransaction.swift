import Absurd
import ArgumentParser
import BenchmarkSupport
import LibPQ

/// What an open transaction elsewhere costs, which keeps every dead row and index entry.
struct OldTransaction: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "held", abstract: "Drains a queue while another session holds a transaction open.")

    @Option(help: "Tasks of each drain.")
    var tasks = 200_000

    @Option(help: "Drains with and without the transaction, in turn.")
    var rounds = 3

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let figures = try await PrivateDatabase.with(["autovacuum_naptime = '5s'"]) { database in
            var rates: [Bool: [Double]] = [:]
            for round in 0..<rounds {
                for isHeld in round.isMultiple(of: 2) ? [false, true] : [true, false] {
                    let draining = try await Draining(database, queue: "q_\(round)_\(isHeld)")
                    let session = try await database.connect()
                    if isHeld {
                        try await session.execute(
                            script:
                                "begin isolation level repeatable read; select count(*) from absurd.queues")
                    }
                    let rate = try await draining.rate(of: tasks, processes: 1)
                    progress("\(isHeld ? "held" : "free"): \(Int(rate)) tasks a second")
                    rates[isHeld, default: []].append(rate)
                    await session.close()
                    try await database.client.dropQueue(draining.queue)
                }
            }
            return verdict(rates.mapValues(\.median))
        }
        try figures.publish(report)
    }

    private func verdict(_ rates: [Bool: Double]) -> Report {
        var report = Report(measurement: "\(tasks) empty tasks drained beside an old transaction")
        let (free, held) = (rates[false] ?? .nan, rates[true] ?? .nan)
        report.add("without", free, "tasks/s")
        report.add("beside a transaction held open", held, "tasks/s")
        report.add("ratio", held / free)
        report.promise("within 10 %", held / free >= 0.9)
        return report
    }
}
