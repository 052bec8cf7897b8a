import Absurd
import ArgumentParser
import BenchmarkSupport

/// Whether several processes on one queue hinder each other.
struct SharedQueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "processes", abstract: "Drains one queue with 1, 2, 4 and 8 worker processes.")

    @Option(help: "Tasks of each drain.")
    var tasks = 40_000

    @Option(help: "Drains with each number of processes.")
    var rounds = 3

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let figures = try await PrivateDatabase.with { database in
            var rates: [Int: [Double]] = [:]
            for round in 0..<rounds {
                for processes in [1, 2, 4, 8] {
                    let draining = try await Draining(database, queue: "shared_\(round)_\(processes)")
                    let rate = try await draining.rate(of: tasks, processes: processes)
                    progress("\(processes) processes: \(Int(rate)) tasks a second")
                    rates[processes, default: []].append(rate)
                    try await database.client.dropQueue(draining.queue)
                }
            }
            return verdict(rates.mapValues(\.median))
        }
        try figures.publish(report)
    }

    private func verdict(_ rates: [Int: Double]) -> Report {
        var report = Report(measurement: "One queue of \(tasks) empty tasks, drained by several processes")
        let alone = rates[1] ?? .nan
        for (processes, rate) in rates.sorted(by: { $0.key < $1.key }) {
            report.add("\(processes) processes", rate, "tasks/s")
            if processes > 1 { report.add("\(processes) processes against one", rate / alone) }
        }
        for processes in [2, 4, 8] {
            report.promise(
                "\(processes) processes drain at least 0.8 of what one does",
                (rates[processes] ?? 0) / alone >= 0.8)
        }
        return report
    }
}
