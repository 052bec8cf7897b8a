import Absurd
import Testing

struct WorkerOptionsTests {
    /// One broken option: how it is set, and what the error must say.
    struct BrokenOption: Sendable, CustomStringConvertible {
        let name: String
        let rule: String
        let value: String
        let set: @Sendable (inout WorkerOptions) -> Void

        init(
            _ name: String, _ rule: String, _ value: String,
            _ set: @escaping @Sendable (inout WorkerOptions) -> Void
        ) {
            self.name = name
            self.rule = rule
            self.value = value
            self.set = set
        }

        var description: String { name }
    }

    static let brokenOptions: [BrokenOption] = [
        BrokenOption("workers", "from 1 to 1000", "0") { $0.workers = 0 },
        BrokenOption("concurrency", "from 1 to 100000", "0") { $0.concurrency = 0 },
        BrokenOption("batchSize", "from 1 to 10000", "0") { $0.batchSize = 0 },
        BrokenOption("claimTimeout", "from 1 second to 365 days", "0.999 seconds") {
            $0.claimTimeout = .milliseconds(999)
        },
        BrokenOption("renewal", "at least the claim timeout", "1.0 seconds") {
            $0.renewal = .automatic(upTo: .seconds(1))
        },
        BrokenOption("pollInterval", "from 1 millisecond to 365 days", "0.0 seconds") {
            $0.pollInterval = .zero
        },
        BrokenOption("maxBackoff", "from the poll interval to 365 days", "0.001 seconds") {
            $0.maxBackoff = .milliseconds(1)
        },
        BrokenOption("shutdownGrace", "from zero to 365 days", "-1.0 seconds") {
            $0.shutdownGrace = .seconds(-1)
        },
        BrokenOption("workerID", "1 to 200 bytes", "''") { $0.workerID = "" },
        BrokenOption("maxRestarts", "zero or more", "-1") { $0.maxRestarts = -1 },
        BrokenOption("restartWindow", "longer than zero, at most 365 days", "0.0 seconds") {
            $0.restartWindow = .zero
        },
        BrokenOption("pollInterval", "365 days", "9.2") {
            $0.pollInterval = .seconds(Int64.max)
            $0.maxBackoff = .seconds(Int64.max)
        },
        BrokenOption("maxBackoff", "365 days", "9.2") { $0.maxBackoff = .seconds(Int64.max) },
        BrokenOption("shutdownGrace", "365 days", "9.2") { $0.shutdownGrace = .seconds(Int64.max) },
        BrokenOption("restartWindow", "365 days", "9.2") { $0.restartWindow = .seconds(Int64.max) },
        BrokenOption("workers", "from 1 to 1000", "1001") { $0.workers = 1001 },
        BrokenOption("concurrency", "from 1 to 100000", "100001") { $0.concurrency = 100_001 },
        BrokenOption("batchSize", "from 1 to 10000", "10001") { $0.batchSize = 10_001 },
        BrokenOption("claimTimeout", "from 1 second to 365 days", "31622400.0 seconds") {
            $0.claimTimeout = .days(366)
        },
        BrokenOption("cancellationGrace", "from zero to 365 days", "-1.0 seconds") {
            $0.cancellationGrace = .seconds(-1)
        },
        BrokenOption("cancellationGrace", "365 days", "9.2") { $0.cancellationGrace = .seconds(Int64.max) },
        // Counted in bytes, of which the letter has two, and quoted as far as the fortieth character.
        BrokenOption("workerID", "1 to 200 bytes without NUL", quoted("\u{E9}")) {
            $0.workerID = String(repeating: "\u{E9}", count: 101)
        },
        BrokenOption("workerID", "1 to 200 bytes without NUL", "'a\u{0}b'") { $0.workerID = "a\u{0}b" },
        BrokenOption("version", "1 to 200 bytes without NUL", "''") { $0.version = "" },
        BrokenOption("version", "1 to 200 bytes without NUL", quoted("v")) {
            $0.version = String(repeating: "v", count: 201)
        },
        BrokenOption("version", "1 to 200 bytes without NUL", "'a\u{0}b'") { $0.version = "a\u{0}b" },
    ]

    private static func quoted(_ letter: String) -> String { "'\(String(repeating: letter, count: 40))'" }

    @Test(arguments: brokenOptions)
    func `an invalid option is refused when the worker is made, with its name, rule and value`(
        _ option: BrokenOption
    ) throws {
        var options = WorkerOptions()
        option.set(&options)
        let client = try AbsurdClient(AbsurdConfiguration("host=/nowhere"))
        let errors = [
            #expect(throws: AbsurdError.self) { try Worker(client, handlers: [], options: options) },
            #expect(throws: AbsurdError.self) { try WorkerPool(client, handlers: [], options: options) },
        ]
        for error in errors {
            #expect(error?.code == .invalidConfiguration)
            for part in ["option \(option.name) ", option.rule, "is \(option.value)"] {
                #expect(error?.message.contains(part) == true, "\(error?.message ?? "") lacks \(part)")
            }
        }
    }

    @Test func `the longest durations that are allowed are`() throws {
        var options = WorkerOptions()
        options.pollInterval = .days(365)
        options.maxBackoff = .days(365)
        options.shutdownGrace = .days(365)
        options.cancellationGrace = .days(365)
        options.claimTimeout = .days(365)
        options.restartWindow = .days(365)
        try options.validate()
    }

    @Test func `the largest numbers and the longest names that are allowed are`() throws {
        var options = WorkerOptions()
        options.workers = 1000
        options.concurrency = 100_000
        options.batchSize = 10_000
        options.workerID = String(repeating: "\u{E9}", count: 100)
        options.version = String(repeating: "v", count: 200)
        try options.validate()
    }

    @Test func `a task name with two handlers, or with a handler of another queue, is refused`() throws {
        let client = try AbsurdClient(AbsurdConfiguration("host=/nowhere"))
        let kind = TaskKind<Void, Void>("mail", queue: "letters")
        let handler = Handler(kind) { _ in }
        let twice = #expect(throws: AbsurdError.self) {
            try WorkerPool(client, queue: "letters", handlers: [handler, handler])
        }
        #expect(twice?.code == .duplicateHandler && twice?.message.contains("'mail'") == true)
        let elsewhere = #expect(throws: AbsurdError.self) {
            try WorkerPool(client, queue: "orders", handlers: [handler])
        }
        #expect(
            elsewhere?.message.contains("'letters'") == true
                && elsewhere?.message.contains("'orders'") == true)
    }
}
