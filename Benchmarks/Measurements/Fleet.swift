import Absurd
import BenchmarkSupport
import Foundation
import LibPQ

/// A step in whose body a worker was killed.
struct KilledStep {
    var task: String
    var step: String
}

/// The worker processes of a run, as many of them alive as there should be.
final class Fleet {
    private let workload: String
    private let queue: String
    private let database: PrivateDatabase
    private var workers: [WorkerProcess] = []
    private var next = 0

    init(size: Int, workload: String, queue: String, _ database: PrivateDatabase) async throws {
        (self.workload, self.queue, self.database) = (workload, queue, database)
        for _ in 0..<size { workers.append(try await WorkerProcess.start(workload, queue: queue, database)) }
    }

    /// Kills one worker inside the body of a step, which the rows confirm first, and starts another in its place.
    func killOne(at point: String) async throws -> KilledStep {
        let position = next % workers.count
        next += 1
        let worker = workers[position]
        try worker.send("hold \(point)")
        let words = try await worker.answer("holding").split(separator: " ").map(String.init)
        guard words.count == 2 else { throw MeasurementError("a worker said what it holds in other words") }
        let step = KilledStep(task: words[0], step: words[1])
        let holds: Bool = try await database.value(
            """
            select exists (
              select from absurd.r_\(queue)
               where task_id = $1::uuid and state = 'running' and claimed_by = $2 and claim_expires_at > clock_timestamp())
            """, [.text(step.task), .text(worker.workerID)])
        guard holds else {
            throw MeasurementError("worker \(worker.workerID) does not hold the run it is executing")
        }
        _ = try await database.client.pool.query(
            "insert into killed values ($1, $2::uuid, $3, clock_timestamp())",
            [.text(worker.workerID), .text(step.task), .text(step.step)])
        worker.kill()
        workers[position] = try await WorkerProcess.start(workload, queue: queue, database)
        return step
    }

    /// The worker whose turn it is to be interrupted.
    func nextWorker() -> WorkerProcess {
        defer { next += 1 }
        return workers[next % workers.count]
    }

    /// Starts another worker in the place of each that has died; says how many had.
    @discardableResult
    func replaceDead() async throws -> Int {
        var count = 0
        for position in workers.indices where !workers[position].isAlive {
            workers[position] = try await WorkerProcess.start(workload, queue: queue, database)
            count += 1
        }
        return count
    }

    func stop() async throws {
        for worker in workers { try await worker.stop() }
        workers = []
    }
}
