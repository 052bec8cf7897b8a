import Foundation
import LibPQ

/// Every kind of write under a claim that the schema has, in one place: a new one belongs here.
enum FencedWrite: String, CaseIterable, Sendable {
    case complete, onlyComplete, fail, failForGood, failAtDelay, sleep, sleepWithStep, release
    case checkpoint, checkpointOfKnownStep
    case renew, onlyLook
    case lookForEvent, takeEvent, parkOnEvent
    case lookAtTask, takeResult, parkOnTask
}

extension FencedWrite {
    /// What the writes need to be there: an event that was emitted, an ended task and one that goes on.
    struct Surroundings: Sendable {
        var endedTask: UUID
        var openTask: UUID
    }

    static func surround(_ queue: ExtensionQueue) async throws -> Surroundings {
        try await queue.emit("emitted", "7")
        let tasks = try await queue.spawn(["ended", "open"])
        let claims = try await queue.claim(limit: 100, worker: "surroundings")
        guard let ended = claims.first(where: { $0.task == tasks[0] }),
            let open = claims.first(where: { $0.task == tasks[1] })
        else { throw MissingClaim() }
        _ = try await queue.finish([.init(ended, "complete", "1")])
        _ = try await queue.finish([.init(open, "sleep", delay: 1_000_000)])
        return Surroundings(endedTask: tasks[0], openTask: tasks[1])
    }

    struct MissingClaim: Error {}

    /// Makes the write and returns the database's answer.
    func send(
        _ queue: ExtensionQueue, _ claim: ExtensionQueue.Claim, _ surroundings: Surroundings,
        wait: Bool = true
    ) async throws -> String {
        let answers: [ExtensionQueue.Answer]
        switch self {
        case .complete: answers = try await queue.finish([.init(claim, "complete", #""A""#)], wait: wait)
        // Always waits.
        case .onlyComplete: answers = try await queue.complete([(claim, #""A""#)])
        case .fail: answers = try await queue.finish([.init(claim, "fail", #""A""#)], wait: wait)
        case .failForGood: answers = try await queue.finish([.init(claim, "fail_final", #""A""#)], wait: wait)
        case .failAtDelay:
            answers = try await queue.finish([.init(claim, "fail", #""A""#, delay: 5)], wait: wait)
        case .sleep: answers = try await queue.finish([.init(claim, "sleep", delay: 60)], wait: wait)
        case .sleepWithStep:
            answers = try await queue.finish(
                [.init(claim, "sleep", #""A""#, step: "nap", delay: 60)], wait: wait)
        case .release: answers = try await queue.finish([.init(claim, "release")], wait: wait)
        case .checkpoint:
            answers = try await queue.checkpoint([(claim, "new", #""A""#)], renewing: 3600, wait: wait)
        case .checkpointOfKnownStep:
            answers = try await queue.checkpoint([(claim, "known", #""A""#)], renewing: 3600, wait: wait)
        case .renew: answers = try await queue.renew([claim], timeout: 3600, wait: wait)
        case .onlyLook: answers = try await queue.renew([claim], timeout: nil, wait: wait)
        case .lookForEvent:
            answers = try await queue.awaitEvent([(claim, "e", "never")], park: false, wait: wait)
        case .takeEvent: answers = try await queue.awaitEvent([(claim, "e", "emitted")], wait: wait)
        case .parkOnEvent:
            answers = try await queue.awaitEvent([(claim, "e", "never")], timeout: 60, wait: wait)
        case .lookAtTask:
            answers = try await queue.awaitTask(
                [(claim, "r", surroundings.openTask)], park: false, wait: wait)
        case .takeResult:
            answers = try await queue.awaitTask([(claim, "r", surroundings.endedTask)], wait: wait)
        case .parkOnTask:
            answers = try await queue.awaitTask([(claim, "r", surroundings.openTask)], wait: wait)
        }
        return answers.map(\.answer).joined(separator: ",")
    }
}

/// The ways in which A's claim of a run ends without A's doing, or by something that ran beside the write.
enum ClaimLoss: String, CaseIterable, Sendable {
    case expired, released, putOff, slept, parkedOnEvent, waitTimedOut, parkedOnTask, rescheduledByAnotherSDK
    case cancelled, failedByAnotherSDK, completedByAnotherSDK
    /// A's worker fell silent, or was known to be dead.
    case reaped, workerLost
}

extension ClaimLoss {
    /// Whether somebody claims the task after it.
    var isFollowedByClaim: Bool {
        switch self {
        case .cancelled, .failedByAnotherSDK, .completedByAnotherSDK: false
        default: true
        }
    }

    /// Whether it costs the attempt, so that the next claim is of another run.
    var endsAttempt: Bool { [.expired, .reaped, .workerLost].contains(self) }

    /// What A's writes are answered.
    var answer: String {
        switch self {
        case .expired, .failedByAnotherSDK, .reaped, .workerLost: "failed"
        case .cancelled: "cancelled"
        default: "lost"
        }
    }

    func happen(
        to claim: ExtensionQueue.Claim, in queue: ExtensionQueue, _ surroundings: FencedWrite.Surroundings
    ) async throws {
        let foreign: [SQLParameter] = [.text(queue.name), .uuid(claim.run)]
        switch self {
        case .expired:
            try await queue.run(
                "update absurd.r_q set claim_expires_at = absurd.current_time() - interval '1 s' where run_id = $1",
                [.uuid(claim.run)])
        case .released: _ = try await queue.finish([.init(claim, "release")])
        case .putOff: _ = try await queue.finish([.init(claim, "sleep", delay: 0)])
        case .slept: _ = try await queue.finish([.init(claim, "sleep", "1", step: "known", delay: 0)])
        case .parkedOnEvent:
            _ = try await queue.awaitEvent([(claim, "beside", "woken")])
            try await queue.emit("woken")
        case .waitTimedOut: _ = try await queue.awaitEvent([(claim, "beside", "late")], timeout: 0)
        case .parkedOnTask:
            let child = try await queue.spawn(["child"])[0]
            _ = try await queue.awaitTask([(claim, "beside", child)])
            _ = try await queue.cancel([child])
        case .rescheduledByAnotherSDK:
            try await queue.run("select absurd.schedule_run($1, $2, now())", foreign)
        case .cancelled: _ = try await queue.cancel([claim.task])
        case .failedByAnotherSDK: try await queue.run("select absurd.fail_run($1, $2, '{}')", foreign)
        case .completedByAnotherSDK: try await queue.run("select absurd.complete_run($1, $2, '1')", foreign)
        case .reaped:
            let observer = "observer \(UUID())"
            try await queue.register(claim.worker)
            _ = try await queue.beat([claim.worker], running: 1)
            try await queue.silence(claim.worker, seconds: 4)
            try await queue.registerObserver(observer)
            _ = try await queue.reap(observer)
        case .workerLost:
            try await queue.register(claim.worker)
            _ = try await queue.workerLost(claim.worker)
        }
    }
}
