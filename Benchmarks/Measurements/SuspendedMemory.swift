import Absurd
import ArgumentParser
import BenchmarkSupport
import Foundation
import LibPQ

/// Measures what a worker process still holds when all its tasks are suspended.
struct SuspendedMemory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspended", abstract: "Measures a worker process whose tasks all wait for events.")

    static let queue = "rounds"

    @Option(help: "How many tasks.")
    var tasks = 1000

    @Option(help: "How often all tasks are woken and suspend again.")
    var rounds = 10

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let figures = try await PrivateDatabase.with { database in
            try await database.client.createQueue(Self.queue)
            let worker = try await WorkerProcess.start("rounds", queue: Self.queue, database)
            let fresh = try residentMegabytes(of: worker.processID)
            let kind = TaskKind<Int, Int>("rounds", queue: Self.queue)
            // One event more than is emitted, so that nobody comes to an end.
            let requests = try (0..<tasks).map { _ in try SpawnRequest(kind, rounds + 1) }
            try await database.client.spawnMany(requests)
            try await waitUntilAllWait(for: "round-1", database)
            var resident: [Double] = []
            for round in 1...rounds {
                try await database.client.emitEvent("round-\(round)", on: Self.queue)
                try await waitUntilAllWait(for: "round-\(round + 1)", database)
                resident.append(try residentMegabytes(of: worker.processID))
                progress("round \(round): \(resident[round - 1]) MB resident")
            }
            let report = try await measured(worker, database, fresh: fresh, resident)
            try await worker.stop()
            return report
        }
        try figures.publish(report)
    }

    private func waitUntilAllWait(for event: String, _ database: PrivateDatabase) async throws {
        try await database.wait(
            for: "\(tasks) tasks waiting for '\(event)'", until: .now + .seconds(60),
            """
            select count(*) = $1 from absurd.r_\(Self.queue) where state = 'sleeping' and wake_event = $2
            """, [.int(Int64(tasks)), .text(event)])
    }

    private func measured(
        _ worker: WorkerProcess, _ database: PrivateDatabase, fresh: Double, _ resident: [Double]
    ) async throws -> Report {
        let (slots, inUse) = try await idleCounts(of: worker)
        let sessions: Int = try await database.value(
            "select count(*) from pg_stat_activity where application_name = 'swift-absurd' and pid <> pg_backend_pid()"
        )
        // The client of this program is one of them.
        let ours = database.client.pool.counts.open - 1
        let growth = resident.count > 1 ? resident[resident.count - 1] - resident[1] : 0

        var report = Report(
            measurement: "A worker process with \(tasks) suspended tasks, \(resident.count) rounds")
        report.add("resident before the first task", fresh, "MB")
        for (index, value) in resident.enumerated() {
            report.add("resident after round \(index + 1)", value, "MB")
        }
        report.add("growth from round 2 to \(resident.count)", growth, "MB")
        report.add("slots in use", slots)
        report.add("connections in use", inUse)
        report.add("connections open", sessions - ours)
        report.promise("no slot in use", slots == 0)
        report.promise("no connection in use, none beyond the pool's 8", inUse == 0 && sessions - ours <= 8)
        report.promise("under 40 MB resident", (resident.last ?? .nan) < 40)
        report.promise("growth under 2 MB", growth < 2)
        return report
    }

    /// The worker's own count of slots and connections in use.
    ///
    /// A connection is in use for the instant of each idle poll, so the least of several answers counts.
    private func idleCounts(of worker: WorkerProcess) async throws -> (slots: Int, connectionsInUse: Int) {
        var least = (slots: Int.max, connectionsInUse: Int.max)
        for _ in 0..<20 {
            try worker.send("report")
            let words = try await worker.answer("report").split(separator: " ").compactMap { Int($0) }
            guard words.count == 3 else { throw MeasurementError("a worker reported in other words") }
            least = (min(least.slots, words[0]), min(least.connectionsInUse, words[2]))
            if least == (0, 0) { break }
            try await Task.sleep(for: .milliseconds(7))
        }
        return least
    }

    private func residentMegabytes(of process: Int32) throws -> Double {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard
            let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({
                Double($0)
            })
        else { throw MeasurementError("the resident memory of a worker cannot be read on this system") }
        return kilobytes / 1024
    }
}
