import Absurd
import BenchmarkSupport
import ChaosModel
import EphemeralPostgres
import Foundation
import LibPQ

/// What came out of a seed.
struct RoundResult {
    var broken: [BrokenPromise] = []
    var figures = Figures()
}

/// One seed: the workload and the faults of its plan on a database of its own, and the checks after it.
///
/// The driver of the workload and the checks talk to the server directly, the workers through proxies.
struct Round {
    let plan: Plan
    let server: EphemeralPostgres
    let database: PrivateDatabase
    let fleet: ChaosFleet
    /// How long the last task may take to end after the last fault has.
    let bound: Duration

    func run() async throws -> RoundResult {
        try await database.client.createQueue(chaosQueue)
        try await database.execute(History.schema)
        try await fleet.fill()
        let start = ContinuousClock.now
        let driver = Driver(plan: plan, database: database)
        async let driving: Void = driver.run(from: start)
        try await injectFaults(from: start)
        try await driving
        let healed = ContinuousClock.now
        try await settle(until: healed + bound)
        var result = RoundResult()
        result.figures = try await figures()
        result.figures.settling = (ContinuousClock.now - healed).seconds
        let hanging = try await fleet.stop(within: .seconds(20))
        if hanging > 0 {
            result.broken.append(
                BrokenPromise(promise: "a worker that is asked to stop does so", count: hanging))
        }
        result.broken += try await violations()
        return result
    }

    /// Waits until all tasks have ended, and no longer than allowed: the checks tell what is open.
    private func settle(until deadline: ContinuousClock.Instant) async throws {
        while try await database.value(
            """
            select exists (
              select from absurd.t_\(chaosQueue) where state not in ('completed', 'failed', 'cancelled'))
            """, as: Bool.self), .now < deadline
        {
            try await fleet.fill()
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func violations() async throws -> [BrokenPromise] {
        var broken: [BrokenPromise] = []
        for check in Check.all {
            if let promise = try await check.run({ try await database.client.query($0) }) {
                broken.append(promise)
            }
        }
        return broken
    }

    private func figures() async throws -> Figures {
        func count(_ sql: String) async throws -> Int { try await database.value(sql) }
        var figures = Figures()
        figures.rounds = 1
        figures.tasks = try await count("select count(*) from absurd.t_\(chaosQueue)")
        figures.steps = try await count(
            "select count(*) from absurd.c_\(chaosQueue) where checkpoint_name like 'step-%'")
        figures.executions = try await count("select count(*) from history.effects")
        figures.retaken = try await count(
            """
            select count(*) from absurd.r_\(chaosQueue)
             where failure_reason ->> 'name' in ('$WorkerLost', '$ClaimTimeout')
            """)
        figures.ownEnds = fleet.ownEnds
        for fault in plan.faults { figures.faults[fault.kind, default: 0] += 1 }
        return figures
    }
}
