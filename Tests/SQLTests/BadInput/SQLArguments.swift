import TestSupport

/// Random arguments for a function of the schema, by type and name: mostly those that get past its first look.
struct SQLArguments {
    struct Parameter: Sendable {
        var name: String
        var type: String
    }

    struct Claim: Sendable {
        var run: String
        var task: String
        var token: String
    }

    /// Runs that are claimed by ``worker``, so that calls reach what they are about.
    var claims: [Claim]
    private var random: SeededGenerator
    /// Which of the claims the rows of this call are about.
    private var rows: [Int] = []

    static let worker = "w"

    init(claims: [Claim], random: SeededGenerator) {
        self.claims = claims
        self.random = random
    }

    /// - Throws: ``NoValues`` for a type that this does not know.
    mutating func draw(_ parameters: [Parameter]) throws -> [String?] {
        // Also the same run twice.
        rows = (0..<random.number(4)).map { _ in random.number(max(claims.count, 1)) }
        return try parameters.map { try value($0) }
    }

    var generator: SeededGenerator { random }
}

extension SQLArguments {
    struct NoValues: Error, CustomStringConvertible {
        var parameter: Parameter
        var description: String { "there are no values of type \(parameter.type) for \(parameter.name)" }
    }

    private mutating func value(_ parameter: Parameter) throws -> String? {
        if random.chance(5) { return nil }
        guard parameter.type.hasSuffix("[]") else {
            return try element(parameter.name, String(parameter.type), row: rows.first)
        }
        let type = String(parameter.type.dropLast(2))
        if random.chance(4) { return "{NULL}" }
        if random.chance(2), let one = try element(parameter.name, type, row: nil) {
            return "{{\(Self.quoted(one))},{\(Self.quoted(one))}}"
        }
        var chosen: [Int?] = self.rows
        if random.chance(10) { chosen = Array(repeating: nil, count: random.number(4)) }
        let elements = try chosen.map {
            try element(parameter.name, type, row: $0).map(Self.quoted) ?? "NULL"
        }
        return "{\(elements.joined(separator: ","))}"
    }

    private mutating func element(_ name: String, _ type: String, row: Int?) throws -> String? {
        let claim = row.flatMap { claims.indices.contains($0) ? claims[$0] : nil }
        let isFit = random.chance(85)
        switch type {
        case "uuid":
            if isFit, let claim { return name.contains("run") ? claim.run : claim.task }
        case "timestamp with time zone":
            if isFit, let claim, name == "p_tokens" { return claim.token }
        case "text":
            if isFit, let fit = Self.fit[name] { return pick(fit) }
        default: break
        }
        guard let values = Self.values[type] else {
            throw NoValues(parameter: Parameter(name: name, type: type))
        }
        return pick(values)
    }

    private mutating func pick(_ values: [String?]) -> String? { values[random.number(values.count)] }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

// MARK: - Values

extension SQLArguments {
    private static let queues: [String?] = ["q", "q", "q", "p"]
    private static let documents: [String?] = [
        nil, "1", "null", "{}", "[]", #""x""#, #"{"name": "n", "message": "m"}"#,
    ]
    private static let options: [String?] = [
        nil, "{}", #"{"max_attempts": 3}"#, #"{"idempotency_key": "k"}"#, #"{"max_attempts": 0}"#,
        #"{"cancellation": {"max_delay": 1}}"#, #"{"retry_strategy": {"kind": "fixed", "base_seconds": 0}}"#,
    ]

    /// By the names of parameters: what a caller means by them.
    private static let fit: [String: [String?]] = [
        "p_queue": queues, "p_queue_name": queues, "p_task_queues": queues,
        "p_worker": [worker], "p_worker_id": [worker], "p_workers": [worker], "p_observer": [worker],
        "p_actions": ["complete", "fail", "sleep", "release", "fail_final"],
        "p_payloads": documents, "p_states": documents, "p_params": documents, "p_options": options,
        "p_storage_mode": ["partitioned", "unpartitioned"],
        "p_channel": ["result:1", "", String(repeating: "x", count: 63), String(repeating: "x", count: 64)],
    ]

    private static let names: [String?] = [
        nil, "q", "p", "", " ", "none", "'; drop table canary; --", "\"; drop table canary; --", "$1", "%I",
        "a:b", "wake:q", String(repeating: "n", count: 57), String(repeating: "n", count: 58),
        String(repeating: "x", count: 10_000), "😀", "\u{1}", "infinity", "-1", "{}", "null", #""\u0000""#,
        "1e400",
    ]

    private static let values: [String: [String?]] = [
        "text": names,
        "uuid": [nil, "019b2f61-5c4e-7a10-8c9d-2f3e4a5b6c7d", "00000000-0000-0000-0000-000000000000"],
        "integer": [nil, "0", "1", "-1", "2147483647", "-2147483648", "30"],
        "bigint": [nil, "0", "1", "-1", "8388608", "9223372036854775807", "-9223372036854775808"],
        "double precision": [nil, "0", "1", "-1", "NaN", "Infinity", "-Infinity", "1e300"],
        "boolean": [nil, "true", "false"],
        "timestamp with time zone": [nil, "epoch", "now", "infinity", "-infinity", "294276-12-31"],
        "jsonb": [
            nil, "null", "{}", "[]", "1", "\"x\"", #"{"max_attempts": 0}"#, #"{"max_attempts": 1e30}"#,
            #"{"retry_strategy": {"kind": "exponential", "factor": 1e300}}"#,
            #"{"cancellation": {"max_delay": 1.5}}"#,
            #"{"cleanup_ttl": "'; drop table canary; --"}"#, #"{"cleanup_limit": 99999999999999999999}"#,
            String(repeating: "[", count: 1_000) + String(repeating: "]", count: 1_000),
        ],
    ]
}
