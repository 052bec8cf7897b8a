import Synchronization

/// What came of a claim that a ``QueueWatch`` asked for.
package struct ClaimReport: Sendable {
    package var claimed: Int
    /// Whether there was no room for more, so that there may be.
    package var isFull: Bool
}

/// Asks one worker to claim, once.
///
/// A permit that is dropped counts as a claim that brought nothing.
package final class ClaimPermit: Sendable {
    /// Whether something else than a notification asks: a claim that has expired perhaps, or a policy.
    package let sweeps: Bool
    private let box: ReportBox

    init(_ box: ReportBox, sweeps: Bool) {
        self.box = box
        self.sweeps = sweeps
    }

    deinit { box.put(ClaimReport(claimed: 0, isFull: false)) }

    package func report(claimed: Int, isFull: Bool) {
        box.put(ClaimReport(claimed: claimed, isFull: isFull))
    }
}

/// Holds the report until the watch takes it; the first one counts.
final class ReportBox: Sendable {
    private let storage = Mutex<ClaimReport?>(nil)
    private let changes: ChangeSignal

    init(changes: ChangeSignal) { self.changes = changes }

    var report: ClaimReport? { storage.withLock(\.self) }

    func put(_ report: ClaimReport) {
        let isFirst = storage.withLock { storage in
            guard storage == nil else { return false }
            storage = report
            return true
        }
        if isFirst { changes.signal() }
    }
}

/// Keeps a slot of an idle worker for a run that a statement claims for it; nil when it cannot take one of that task.
package typealias SlotKeeper = @Sendable (_ taskName: String?) -> SlotReservation?

/// The workers that have nothing to do, the longest idle first.
struct IdleWorkers: Sendable {
    struct Idle: Sendable {
        let seat: Seat<ClaimPermit?>
        let pollInterval: Duration
        let keeper: SlotKeeper
    }
    private(set) var seats: [Idle] = []

    var isEmpty: Bool { seats.isEmpty }
    var count: Int { seats.count }

    /// How often the most impatient of them asks where nothing tells it.
    var pollInterval: Duration { seats.map(\.pollInterval).min() ?? .seconds(1) }

    mutating func add(_ seat: Seat<ClaimPermit?>, pollInterval: Duration, keeper: @escaping SlotKeeper) {
        seats.append(Idle(seat: seat, pollInterval: pollInterval, keeper: keeper))
    }

    /// One that has got something to do, and may have room for more, is the last from now on.
    mutating func putLast(_ seat: Seat<ClaimPermit?>) {
        guard let index = seats.firstIndex(where: { $0.seat === seat }) else { return }
        seats.append(seats.remove(at: index))
    }

    mutating func remove(_ seat: Seat<ClaimPermit?>) {
        seats.removeAll { $0.seat === seat }
    }

    mutating func next() -> Seat<ClaimPermit?>? {
        seats.isEmpty ? nil : seats.removeFirst().seat
    }
}
