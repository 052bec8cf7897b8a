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

    /// Adds what breaks a promise, if anything does.
    mutating func add(_ promise: String, _ violations: [String]) {
        guard !violations.isEmpty else { return }
        broken.append(
            BrokenPromise(
                promise: promise, count: violations.count, examples: Array(violations.prefix(5))))
    }
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
        try await database.client.createQueue(chaosQueue, storage: plan.storage)
        try await database.execute(History.schema)
        try await fleet.fill()
        let start = ContinuousClock.now
        let driver = Driver(plan: plan, database: database)
        try await driver.announce()
        async let driving: Void = driver.run(from: start)
        try await injectFaults(from: start)
        try await driving
        let healed = ContinuousClock.now
        try await settle(until: healed + bound, driver)
        var result = RoundResult()
        result.figures = try await figures()
        result.figures.settling = (ContinuousClock.now - healed).seconds
        result.add(
            "a worker that is asked to stop does so, with exit status 0",
            try await fleet.stop())
        result.add("a worker does not end by itself", fleet.ownEnds)
        result.figures.ownEnds = fleet.ownEnds.count
        result.broken += try await violations()
        return result
    }

    /// Waits until all tasks have ended, and no longer than allowed: the checks tell what is open.
    ///
    /// Tasks that are to be retried by hand are, once they have failed.
    private func settle(until deadline: ContinuousClock.Instant, _ driver: Driver) async throws {
        // A server that does not answer yet has told nothing of the tasks; the checks find out when it never does.
        while (try? await isOpen(driver)) ?? true, .now < deadline {
            try Task.checkCancellation()
            try await fleet.fill()
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func isOpen(_ driver: Driver) async throws -> Bool {
        let isRetried = try await driver.retryFailed()
        let isOpen = try await database.value(
            """
            select exists (
              select from absurd.t_\(chaosQueue) where state not in ('completed', 'failed', 'cancelled'))
            """, as: Bool.self)
        return isOpen || isRetried
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
        figures.givenUp = try await count("select count(*) from history.timeouts")
        figures.renewals = try await count("select count(*) from history.renewals")
        figures.overruns = try await count(
            "select count(*) from absurd.r_\(chaosQueue) where failure_reason ->> 'name' = '$AttemptTimeout'")
        figures.retried = try await count("select count(distinct task_id) from history.retried")
        for fault in plan.faults { figures.faults[fault.kind, default: 0] += 1 }
        return figures
    }
}
