import Absurd
import ArgumentParser

enum RetryKind: String, CaseIterable, ExpressibleByArgument {
    case immediate, fixed, exponential
}

/// The options of a spawn, as on the command line.
struct SpawnInput: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "How often to attempt it: a number, or 'unlimited'. (default: \(AttemptLimit.standard.attempts ?? 0))",
            valueName: "number"),
        transform: Self.attemptLimit)
    var maxAttempts: AttemptLimit = .standard

    @Option(
        name: .long,
        help: """
            How the delay between attempts grows. Without any retry option the next attempt is due at once.
            """)
    var retry: RetryKind?

    @Option(
        name: .long, help: ArgumentHelp("The first delay, such as 30s.", valueName: "duration"),
        transform: Duration.init(argument:))
    var retryBase: Duration?

    @Option(name: .long, help: ArgumentHelp("How much longer each further delay is.", valueName: "number"))
    var retryFactor: Double?

    @Option(
        name: .long, help: ArgumentHelp("The longest delay.", valueName: "duration"),
        transform: Duration.init(argument:))
    var retryCap: Duration?

    @Option(
        name: .long,
        help: ArgumentHelp("Cancel it if it has not started after that long.", valueName: "duration"),
        transform: Duration.init(argument:))
    var startWithin: Duration?

    @Option(
        name: .long,
        help: ArgumentHelp("Cancel it if it has not ended that long after its start.", valueName: "duration"),
        transform: Duration.init(argument:))
    var endWithin: Duration?

    @Option(
        name: [.customShort("H"), .customLong("header")],
        help: ArgumentHelp(
            "A header: 'key=text', or 'key:=json'. Can be repeated.", valueName: "header"))
    var headers: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Spawn only once with this key; later spawns find the first task.", valueName: "key"))
    var idempotencyKey: String?

    func validate() throws {
        guard retry == .immediate || retry == .fixed else { return }
        let extras = [("--retry-factor", retryFactor != nil), ("--retry-cap", retryCap != nil)]
        for (name, isGiven) in extras where isGiven {
            throw ValidationError("\(name) belongs to --retry exponential.")
        }
        if retry == .immediate, retryBase != nil {
            throw ValidationError("--retry-base belongs to --retry fixed or exponential.")
        }
    }

    /// - Throws: ``AbsurdError`` with the code `invalidArgument`.
    func options() throws -> SpawnOptions {
        // Taken as a key, what a shell makes of a variable that is not set would merge all spawns into one.
        guard idempotencyKey?.isEmpty != true else {
            throw AbsurdError.invalidArgument(
                "--idempotency-key must not be empty; leave the option out to spawn without a key")
        }
        return SpawnOptions(
            maxAttempts: maxAttempts, retry: strategy,
            cancellation: CancellationPolicy(startWithin: startWithin, endWithin: endWithin),
            headers: try HeaderInput.headers(headers), idempotencyKey: idempotencyKey)
    }

    private var strategy: RetryStrategy? {
        let hasDetails = retryBase != nil || retryFactor != nil || retryCap != nil
        return switch retry ?? (hasDetails ? .exponential : nil) {
        case nil: nil
        case .immediate: .immediate
        case .fixed: .fixed(retryBase ?? .seconds(60))
        case .exponential:
            .exponential(base: retryBase ?? .seconds(30), factor: retryFactor ?? 2, cap: retryCap ?? .days(1))
        }
    }

    static func attemptLimit(_ text: String) throws -> AttemptLimit {
        if text == "unlimited" { return .unlimited }
        return .attempts(try attempts(text))
    }

    /// A number of attempts.
    static func attempts(_ text: String) throws -> Int {
        guard let number = Int32(text), number >= 1 else {
            throw ValidationError("the number of attempts is a whole number from 1 to \(Int32.max)")
        }
        return Int(number)
    }
}
