import ArgumentParser

/// The queue of a command that works on one.
struct QueueOption: ParsableArguments {
    @Option(name: [.short, .long], help: ArgumentHelp("The queue.", valueName: "name"))
    var queue = "default"
}

/// The queue of a command that finds it out when it is not given.
struct OptionalQueueOption: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp("The queue; without it, all queues are looked through.", valueName: "name"))
    var queue: String?
}
