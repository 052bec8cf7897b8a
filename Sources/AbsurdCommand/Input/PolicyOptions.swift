import Absurd
import ArgumentParser

/// The settings of a queue that can be changed.
struct PolicyOptions: ParsableArguments {
    @Option(name: .long, help: "Whether rows of a week without a partition go to a catch-all.")
    var defaultPartition: QueuePolicy.DefaultPartition?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How far ahead weekly partitions are made, such as '28 days'.", valueName: "interval"))
    var partitionLookahead: String?

    @Option(name: .long, help: ArgumentHelp("How far back.", valueName: "interval"))
    var partitionLookback: String?

    @Option(
        name: .customLong("cleanup-ttl"),
        help: ArgumentHelp(
            "How long ended tasks and events are kept, such as '30 days'.", valueName: "interval"))
    var cleanupTTL: String?

    @Option(name: .long, help: ArgumentHelp("How many one cleanup deletes at most.", valueName: "number"))
    var cleanupLimit: Int?

    @Option(name: .long, help: "Whether empty old partitions may be detached.")
    var detachMode: QueuePolicy.DetachMode?

    @Option(name: .long, help: ArgumentHelp("How old they must be.", valueName: "interval"))
    var detachMinAge: String?

    /// Nil when no option was given.
    var change: QueuePolicyChange? {
        var change = QueuePolicyChange()
        change.defaultPartition = defaultPartition
        change.partitionLookahead = partitionLookahead
        change.partitionLookback = partitionLookback
        change.cleanupTTL = cleanupTTL
        change.cleanupLimit = cleanupLimit
        change.detachMode = detachMode
        change.detachMinAge = detachMinAge
        return change == QueuePolicyChange() ? nil : change
    }
}
