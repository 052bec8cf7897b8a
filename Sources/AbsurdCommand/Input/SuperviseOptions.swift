import AbsurdSupervisor
import ArgumentParser

/// How many children `absurd supervise` has, and how it stops and replaces them.
struct ChildOptions: ParsableArguments {
    enum Roll: String, CaseIterable, ExpressibleByArgument {
        case startFirst = "start-first"
        case stopFirst = "stop-first"
    }

    @Option(
        name: [.customShort("n"), .customLong("children")],
        help: ArgumentHelp("How many processes to keep alive.", valueName: "number"))
    var count = 1

    @Option(
        name: .long,
        help: ArgumentHelp("How long a child may take to end before it is killed.", valueName: "duration"),
        transform: Duration.init(argument:))
    var grace: Duration?

    @Option(name: .long, help: "What SIGHUP does first with each child.")
    var roll: Roll = .startFirst

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long a new process has to be up before SIGHUP goes on.", valueName: "duration"),
        transform: Duration.init(argument:))
    var settle: Duration?

    func apply(to options: inout SupervisorOptions) {
        options.children = count
        if let grace { options.gracePeriod = grace }
        options.roll = roll == .startFirst ? .startFirst : .stopFirst
        if let settle { options.settleTime = settle }
    }
}

/// What `absurd supervise` does about a child that has ended.
struct RestartOptions: ParsableArguments {
    enum Strategy: String, CaseIterable, ExpressibleByArgument {
        case oneForOne = "one-for-one"
        case all
        case restForOne = "rest-for-one"
    }

    enum Restart: String, CaseIterable, ExpressibleByArgument {
        case always
        case onFailure = "on-failure"
    }

    @Option(name: .long, help: "Whom to start again when one has ended: it, all, or it and those after it.")
    var strategy: Strategy = .oneForOne

    @Option(name: .long, help: "Whether exit status 0 is an end like any other.")
    var restart: Restart = .always

    @Option(
        name: .long,
        help: ArgumentHelp("More restarts than this within the window end it.", valueName: "number"))
    var maxRestarts: Int?

    @Option(
        name: .customLong("restart-window"),
        help: ArgumentHelp("The time in which restarts are counted.", valueName: "duration"),
        transform: Duration.init(argument:))
    var window: Duration?

    @Option(
        name: .customLong("restart-pause"),
        help: ArgumentHelp("The first pause before a restart; it doubles.", valueName: "duration"),
        transform: Duration.init(argument:))
    var pause: Duration?

    @Option(
        name: .customLong("max-restart-pause"),
        help: ArgumentHelp("The longest pause before a restart.", valueName: "duration"),
        transform: Duration.init(argument:))
    var maxPause: Duration?

    func apply(to options: inout SupervisorOptions) {
        options.strategy =
            switch strategy {
            case .oneForOne: .oneForOne
            case .all: .all
            case .restForOne: .restForOne
            }
        options.restart = restart == .always ? .always : .onFailure
        if let maxRestarts { options.maxRestarts = maxRestarts }
        if let window { options.restartWindow = window }
        if let pause { options.restartPause = pause }
        if let maxPause { options.maxRestartPause = maxPause }
    }
}
