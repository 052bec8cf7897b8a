/// Something that goes wrong at a time of the plan, in milliseconds from the start of the round.
struct Fault: Sendable, CustomStringConvertible {
    enum Kind: String, CaseIterable, Sendable {
        /// `kill -9` of a worker process; another starts when the fault ends.
        case kill
        /// SIGSTOP of a worker process, and SIGCONT when the fault ends.
        case stop
        /// A worker process is asked to stop, under load; another starts when the fault ends.
        case drain
        /// The server stops as in a crash, and starts again at once.
        case restart
        /// `pg_terminate_backend` of every other session.
        case terminate
        /// Connections are reset.
        case cut
        /// Nothing passes until the fault ends; then everything arrives, late.
        case hold
        /// The connections that stand never carry anything again, and neither side is told.
        case lose
        /// Everything arrives late.
        case slow
    }

    var kind: Kind
    var at: Int
    /// How long it lasts; 0 for what has no duration.
    var duration: Int
    /// The number of the worker; nil for those of all workers.
    var worker: Int?
    /// How late data arrives.
    var delay = 0

    var description: String {
        var text = "\(at) ms: \(kind.rawValue)"
        switch kind {
        case .restart, .terminate: break
        default: text += worker.map { ", worker \($0)" } ?? ", all workers"
        }
        if duration > 0 { text += ", for \(duration) ms" }
        if delay > 0 { text += ", by \(delay) ms" }
        return text
    }

    static func plan(_ length: Int, _ generator: inout SeededGenerator) -> [Fault] {
        let count = Int.random(in: 3...6, using: &generator)
        return (0..<count).map { _ in make(length, &generator) }.sorted { $0.at < $1.at }
    }

    private static func make(_ length: Int, _ generator: inout SeededGenerator) -> Fault {
        let kind: Kind = generator.pick([
            (24, .kill), (20, .stop), (16, .drain), (10, .restart), (12, .terminate), (12, .cut), (12, .hold),
            (5, .lose),
            (5, .slow),
        ])
        let at = Int.random(in: 300...length - 300, using: &generator)
        let brief = Int.random(in: 0...1500, using: &generator)
        // On both sides of what the registry of workers takes for a death, and of the claim timeout.
        let long = Int.random(in: 500...6000, using: &generator)
        let everybody = Int.random(in: 0..<5, using: &generator) == 0
        let worker = Int.random(in: 0..<Plan.workers, using: &generator)
        let delay = Int.random(in: 20...150, using: &generator)
        return switch kind {
        case .kill, .drain: Fault(kind: kind, at: at, duration: brief, worker: worker)
        case .stop: Fault(kind: kind, at: at, duration: long, worker: worker)
        case .restart, .terminate: Fault(kind: kind, at: at, duration: 0, worker: nil)
        case .cut, .lose: Fault(kind: kind, at: at, duration: 0, worker: everybody ? nil : worker)
        case .hold: Fault(kind: kind, at: at, duration: long, worker: everybody ? nil : worker)
        case .slow:
            Fault(kind: kind, at: at, duration: long, worker: everybody ? nil : worker, delay: delay)
        }
    }
}
