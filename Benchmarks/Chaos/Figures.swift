/// What was done, over one round or many.
struct Figures {
    var rounds = 0
    var tasks = 0
    var steps = 0
    var executions = 0
    /// Attempts that others ended: of lost workers, and under claims that ran out.
    var retaken = 0
    /// Waits that were given up at their deadlines.
    var givenUp = 0
    var renewals = 0
    /// Attempts that overran their time limit.
    var overruns = 0
    /// Tasks that were given another attempt by hand.
    var retried = 0
    var ownEnds = 0
    var faults: [Fault.Kind: Int] = [:]
    /// Seconds from the end of faults and workload to the end of the last task; the longest.
    var settling = 0.0

    mutating func add(_ other: Figures) {
        rounds += other.rounds
        tasks += other.tasks
        steps += other.steps
        executions += other.executions
        retaken += other.retaken
        givenUp += other.givenUp
        renewals += other.renewals
        overruns += other.overruns
        retried += other.retried
        ownEnds += other.ownEnds
        faults.merge(other.faults, uniquingKeysWith: +)
        settling = max(settling, other.settling)
    }

    var lines: [String] {
        let total = faults.values.reduce(0, +)
        let kinds = Fault.Kind.allCases.map { "\($0.rawValue) \(faults[$0] ?? 0)" }
        return [
            "tasks                         \(tasks)",
            "steps recorded                \(steps)",
            "step bodies executed          \(executions)",
            "attempts taken over           \(retaken)",
            "waits given up at deadlines   \(givenUp)",
            "claims renewed                \(renewals)",
            "attempts beyond time limits   \(overruns)",
            "tasks retried by hand         \(retried)",
            "processes ended on their own  \(ownEnds)",
            "longest wait for the last     \((settling * 10).rounded() / 10) s",
            "faults                        \(total): \(kinds.joined(separator: ", "))",
        ]
    }
}
