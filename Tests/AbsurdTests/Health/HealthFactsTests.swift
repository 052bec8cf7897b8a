import Absurd
import Testing

/// The rules of health, with a clock to move.
@Suite struct HealthFactsTests {
    private let start = ContinuousClock.now

    private func facts(
        _ phase: WorkerHealth.Phase = .claiming, _ change: (inout HealthFacts) -> Void = { _ in }
    ) -> HealthFacts {
        var facts = HealthFacts()
        facts.lastBeat = start
        facts.lastLook = start
        facts.workers = [HealthFacts.Worker(id: "w", phase: phase, since: start)]
        change(&facts)
        return facts
    }

    /// The codes of the problems some seconds after the start, the heart still beating.
    private func codes(_ facts: HealthFacts, after seconds: Double) -> [HealthProblem.Code] {
        var facts = facts
        let now = start + .seconds(seconds)
        if facts.lastBeat != nil { facts.lastBeat = now }
        return facts.problems(at: now).map(\.code)
    }

    @Test func `a claim without an answer is a problem before ten seconds are over, and not at once`() {
        #expect(codes(facts(.claiming), after: 7.9) == [])
        #expect(codes(facts(.claiming), after: 8) == [.claimBlocked])
        #expect(codes(facts(.loading), after: 8) == [.claimBlocked])
        #expect(codes(facts(.starting), after: 8) == [.claimBlocked])
    }

    @Test func `waiting for room or between claims is none, however long`() {
        for phase in [.full, .pausing, .draining] as [WorkerHealth.Phase] {
            #expect(codes(facts(phase), after: 3600) == [])
        }
    }

    @Test func `an idle worker is fine as long as somebody looks for work`() {
        let looked = facts(.idle) { $0.lastLook = start + .seconds(3595) }
        #expect(codes(looked, after: 3600) == [])
        #expect(codes(facts(.idle), after: 8.9) == [])
        #expect(codes(facts(.idle), after: 9) == [.wakeUpsBlocked])
        // A look that is long past says nothing about one that has only just become idle.
        let fresh = facts(.idle) { $0.lastLook = start - .seconds(3600) }
        #expect(codes(fresh, after: 8.9) == [])
        let patient = facts(.idle) { $0.lookInterval = .seconds(60) }
        #expect(codes(patient, after: 63) == [])
        #expect(codes(patient, after: 64) == [.wakeUpsBlocked])
    }

    @Test func `a statement of the writer that gets no answer is a problem`() {
        let writing = facts(.full) { $0.workers[0].writingSince = start }
        #expect(codes(writing, after: 7.9) == [])
        #expect(codes(writing, after: 8) == [.writerBlocked])
    }

    @Test
    func `an outage is a problem unless it is a hiccup, and tells silence from refusal and from a lock`() {
        func outage(_ kind: HealthFacts.Outage.Kind) -> HealthFacts {
            facts(.pausing) {
                $0.workers[0].outage = HealthFacts.Outage(since: start, message: "no server", kind: kind)
            }
        }
        #expect(codes(outage(.silence), after: 1.9) == [])
        #expect(codes(outage(.silence), after: 2) == [.databaseUnreachable])
        #expect(codes(outage(.refusal), after: 2) == [.databaseRefuses])
        #expect(codes(outage(.lock), after: 2) == [.claimBlocked])
        #expect(outage(.silence).problems(at: start + .seconds(2)).map(\.message) == ["worker w: no server"])
    }

    @Test func `callers that wait for a connection are told from a server that takes none`() {
        func waiting(_ failure: String?) -> HealthFacts {
            facts(.full) {
                $0.connections.inUse = 6
                $0.connections.waiting = 3
                $0.connections.waitingSince = start
                $0.connections.failure = failure
            }
        }
        #expect(codes(waiting(nil), after: 7.9) == [])
        #expect(codes(waiting(nil), after: 8) == [.connectionsExhausted])
        #expect(codes(waiting("no server"), after: 8) == [.databaseUnreachable])
    }

    @Test func `a heart that has stopped means blocked threads, and no life`() {
        let still = facts(.full)
        #expect(still.problems(at: start + .seconds(4.9)) == [])
        #expect(still.isLive(at: start + .seconds(4.9)))
        #expect(still.problems(at: start + .seconds(5)).map(\.code) == [.threadsBlocked])
        #expect(!still.isLive(at: start + .seconds(5)))
    }

    @Test func `handlers that wait for a thread mean blocked handlers, and life`() {
        let starved = facts(.full) { $0.handlersWaitingSince = start }
        #expect(codes(starved, after: 4.9) == [])
        #expect(codes(starved, after: 5) == [.handlersBlocked])
        #expect(starved.isLive(at: start + .seconds(4)))
    }

    @Test func `a pool that does not run is not live, and one whose worker is between two lives is`() {
        #expect(codes(facts { $0.lastBeat = nil }, after: 0) == [.notRunning])
        #expect(!facts { $0.lastBeat = nil }.isLive(at: start))
        #expect(codes(facts(.restarting), after: 0) == [.workerRestarting])
        #expect(facts(.restarting).isLive(at: start))
    }

    @Test func `in a shutdown workers end one after the other, and the pool is live until the last has`() {
        let ending = facts(.ended) {
            $0.workers.append(HealthFacts.Worker(id: "v", phase: .draining, since: start))
        }
        #expect(codes(ending, after: 0) == [])
        #expect(codes(ending, after: 3600) == [])
        #expect(codes(facts(.ended), after: 3600) == [])
        // Nobody else is about to end.
        let left = facts(.ended) {
            $0.workers.append(HealthFacts.Worker(id: "v", phase: .full, since: start))
        }
        #expect(codes(left, after: 7.9) == [])
        #expect(codes(left, after: 8) == [.notRunning])
    }

    @Test func `claims that are all refused are a problem, whatever the handlers get through`() {
        for phase in [.claiming, .pausing, .loading] as [WorkerHealth.Phase] {
            let refused = facts(phase) {
                $0.workers[0].tryingSince = start
                $0.workers[0].since = start + .seconds(7)
                // The writer has just ended the last one.
                $0.workers[0].outage = HealthFacts.Outage(
                    since: start + .seconds(7), message: "a lock", kind: .lock)
            }
            #expect(codes(refused, after: 7.9) == [])
            #expect(codes(refused, after: 8) == [.claimBlocked])
            #expect(
                refused.problems(at: start + .seconds(8)).last?.message
                    == "worker w: no claim has succeeded for 8 s: a lock")
        }
        let away = facts(.pausing) {
            $0.workers[0].tryingSince = start
            $0.workers[0].outage = HealthFacts.Outage(since: start, message: "no server", kind: .silence)
        }
        #expect(codes(away, after: 60) == [.databaseUnreachable])
    }

    @Test func `trying to claim begins with the first try, and ends with success or something else to do`() {
        let pulse = WorkerPulse()
        #expect(pulse.tryingSince == nil)
        pulse.enter(.claiming)
        let since = pulse.tryingSince
        #expect(since != nil)
        for phase in [.pausing, .claiming, .loading, .pausing, .claiming] as [WorkerHealth.Phase] {
            pulse.enter(phase)
            #expect(pulse.tryingSince == since)
        }
        pulse.claimed()
        #expect(pulse.tryingSince == nil)
        pulse.enter(.claiming)
        pulse.enter(.idle)
        #expect(pulse.tryingSince == nil)
    }

    @Test func `a claim that outlasts every bound is no life, one that waits for the database is`() {
        var facts = facts(.claiming)
        facts.claimBound = .seconds(60)
        facts.lastBeat = start + .seconds(67)
        #expect(facts.isLive(at: start + .seconds(67)))
        facts.lastBeat = start + .seconds(68)
        #expect(!facts.isLive(at: start + .seconds(68)))
    }

    @Test func `the gravest problem comes first`() {
        let facts = facts(.pausing) {
            $0.workers[0].outage = HealthFacts.Outage(since: start, message: "no", kind: .silence)
            $0.workers[0].writingSince = start
            $0.workers.append(HealthFacts.Worker(id: "v", phase: .claiming, since: start))
        }
        #expect(codes(facts, after: 9) == [.claimBlocked, .writerBlocked, .databaseUnreachable])
    }
}
