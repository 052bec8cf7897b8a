package import Logging
import Synchronization

/// Tells the idle workers of one queue and one client when there is something to claim.
///
/// One for all of them: it looks, listens and keeps the time, and wakes one worker at a time, the next only when that
/// one's claim came back full. The protocol is that of `sql/absurd_swift/85_wake_ups.sql`; where notifications are not to
/// be had it has a worker claim each poll interval.
package final class QueueWatch: Sendable {
    struct State {
        var idle = IdleWorkers()
        /// Something came that a look must follow.
        var isNotified = false
        var isHandedOver = false
        /// Whether this client's session holds the queue's lock.
        var armedSession: Int?
        /// Whether other processes count on this one to look for work.
        var isOnDuty = false

        var isArmed: Bool { armedSession != nil && !idle.isEmpty }
    }

    let queue: String
    let channel: String
    let listener: Listener
    /// How long an armed queue goes without a look, in case that a notification went astray.
    let fallbackInterval: Duration
    let logger: Logger
    let state = Mutex(State())
    /// Signalled when a worker or a notification comes, a report is made, and when the listening connection changes.
    let changes = ChangeSignal()
    /// Sessions in which notifications are of no use to this queue, by number.
    let unusable = Mutex<(session: Int, until: ContinuousClock.Instant)?>(nil)

    private let turn: Mutex<(at: ContinuousClock.Instant, next: Duration)>
    /// When the loop last looked for work, or was about to.
    package var lastTurn: ContinuousClock.Instant { turn.withLock { $0.at } }
    /// How soon after that it is to look again.
    package var lookInterval: Duration { turn.withLock { $0.next } }
    func noteTurn(lookingAgainAfter next: Duration? = nil) {
        turn.withLock { $0 = (at: .now, next: max(next ?? .zero, fallbackInterval)) }
    }

    /// While work arrives faster than this, asking is cheaper for everybody than being told.
    static let burstInterval = Duration.milliseconds(5)

    package init(queue: String, listener: Listener, fallbackInterval: Duration, logger: Logger) {
        self.queue = queue
        self.channel = "wake:\(queue)"
        self.listener = listener
        self.fallbackInterval = fallbackInterval
        self.turn = Mutex((at: .now, next: fallbackInterval))
        self.logger = logger
        listener.handle(channel) { [weak self] payload in self?.notified(payload) }
        listener.observe { [weak self] in self?.changes.signal() }
    }

    /// This client has just spawned into the queue: an idle worker of its own need not wait for the notification, which takes
    /// a while longer than the answer.
    ///
    /// Only while armed. Else there may be a process that is to come first, or nobody to claim.
    package func spawnedHere() {
        let isToBeTold = state.withLock { state in
            if state.isArmed { state.isNotified = true }
            return state.isArmed
        }
        if isToBeTold { changes.signal() }
    }

    /// Keeps a slot of an idle worker for a run that a statement of this client is about to make due; nil when there is none,
    /// or when something else is there to be claimed first.
    package func reserveSlot(for taskName: String?) -> SlotReservation? {
        let idle = state.withLock { state in
            state.isNotified && state.armedSession != nil || state.isHandedOver ? IdleWorkers() : state.idle
        }
        for worker in idle.seats {
            guard let reservation = worker.keeper(taskName) else { continue }
            if idle.count > 1 { state.withLock { $0.idle.putLast(worker.seat) } }
            return reservation
        }
        return nil
    }

    /// Whether an idle worker of this client is the one that others notify.
    package var isArmed: Bool { state.withLock(\.isArmed) }

    /// How many workers have nothing to do.
    package var idleCount: Int { state.withLock(\.idle.count) }

    private func notified(_ payload: String) {
        state.withLock { state in
            if payload == "next" { state.isHandedOver = true } else { state.isNotified = true }
        }
        changes.signal()
    }

    /// Waits until this worker should claim; nil when the seat was given up.
    ///
    /// The permit is to be reported on, or dropped.
    /// - Parameter keeper: Takes what ``reserveSlot(for:)`` asks for.
    package func idle(
        _ seat: Seat<ClaimPermit?>, pollInterval: Duration, keeper: @escaping SlotKeeper
    ) async -> ClaimPermit? {
        state.withLock { $0.idle.add(seat, pollInterval: pollInterval, keeper: keeper) }
        changes.signal()
        let permit = await seat.turn()
        state.withLock { $0.idle.remove(seat) }
        // One that goes without being asked may have been the last that others count on.
        if permit == nil { changes.signal() }
        return permit
    }

    /// Wakes one idle worker and waits for what its claim brought; nil when there is none.
    func wakeOne(sweeps: Bool) async -> ClaimReport? {
        let box = ReportBox(changes: changes)
        while let seat = state.withLock({ $0.idle.next() }) {
            guard seat.give(ClaimPermit(box, sweeps: sweeps)) else { continue }
            while !Task.isCancelled {
                let ticket = changes.ticket()
                if let report = box.report { return report }
                await changes.waitUnlessCancelled(after: ticket)
            }
            return nil
        }
        return nil
    }

    /// Wakes workers, one after the other, for as long as their claims come back full.
    ///
    /// Returns how many runs they claimed.
    ///
    /// - Parameter sweeps: Whether the first of them also looks for what time has ended.
    func wakeWorkers(sweeps: Bool) async -> Int {
        var claimed = 0
        var sweeps = sweeps
        while let report = await wakeOne(sweeps: sweeps) {
            sweeps = false
            claimed += report.claimed
            if !report.isFull { break }
        }
        return claimed
    }
}
