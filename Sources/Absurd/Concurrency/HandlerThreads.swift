import DequeModule
import Dispatch
import Foundation
import Synchronization

/// The threads on which handlers execute, beside those that all Swift tasks share.
///
/// Swift has as many shared threads as the machine has cores. Handlers that compute or block without a pause would take
/// all of them, and with them everything that keeps the process in hand: claims and their renewal, what other handlers
/// record, signals, probes, the shutdown. Here they keep only each other waiting
/// (`docs/decisions/070-handlers-have-threads-of-their-own.md`).
package final class HandlerThreads: TaskExecutor {
    /// Those of the process: one for each core, at least two.
    package static let shared = HandlerThreads(count: max(2, ProcessInfo.processInfo.activeProcessorCount))

    private struct Waiting {
        let job: UnownedJob
        let since: ContinuousClock.Instant
    }

    private struct State {
        var waiting: Deque<Waiting> = []
        /// Threads that run, and those that have been woken.
        var awake: Int
        /// Threads that sleep only for a moment and then look for work.
        var napping = 0
        /// When a thread last took a job.
        var lastTaken = ContinuousClock.now
    }

    private let state: Mutex<State>
    private let wakeUps = DispatchSemaphore(value: 0)
    package let threadCount: Int

    private init(count threads: Int) {
        threadCount = threads
        state = Mutex(State(awake: threads))
        for number in 1...threads {
            // A serial queue whose one block never ends is a thread.
            DispatchQueue(label: "absurd.handlers.\(number)").async { self.work() }
        }
    }

    /// Since when the first of those that wait for a thread does; nil when none does.
    package var waitingSince: ContinuousClock.Instant? { state.withLock { $0.waiting.first?.since } }
}

// MARK: - Waking as few threads as will do

/// Waking a thread costs several times what a short handler does. So a thread that is awake is left to take the next job
/// too, unless it has been busy with its present one, or many jobs have gathered. That it will be busy cannot be known
/// beforehand, so a thread without work looks again while others are awake, at growing intervals; and a job is left to those
/// that are awake only while there is such a thread, or it might wait for ever behind one that computes.
extension HandlerThreads {
    private static let busyTime = Duration.microseconds(200)
    private static let longestNap = 8

    package func enqueue(_ job: consuming ExecutorJob) {
        let entry = Waiting(job: UnownedJob(job), since: .now)
        let wakes = state.withLock { state in
            state.waiting.append(entry)
            guard state.awake < threadCount else { return false }
            let isUrgent =
                state.awake == 0 || state.napping == 0 || state.waiting.count > 8
                || entry.since - state.lastTaken > Self.busyTime
            if isUrgent { state.awake += 1 }
            return isUrgent
        }
        if wakes { wakeUps.signal() }
    }

    private func work() -> Never {
        var nap = 1
        while true {
            let (next, isLast) = state.withLock { state -> (Waiting?, Bool) in
                if let next = state.waiting.popFirst() {
                    state.lastTaken = .now
                    return (next, false)
                }
                state.awake -= 1
                let isLast = state.awake == 0
                if !isLast { state.napping += 1 }
                return (nil, isLast)
            }
            if let next {
                nap = 1
                next.job.runSynchronously(on: asUnownedTaskExecutor())
            } else if isLast {
                wakeUps.wait()
            } else {
                let isOver = wakeUps.wait(timeout: .now() + .milliseconds(nap)) == .timedOut
                if isOver { nap = min(nap * 2, Self.longestNap) }
                state.withLock { state in
                    state.napping -= 1
                    // Who wakes a thread has counted it.
                    if isOver { state.awake += 1 }
                }
            }
        }
    }
}
