import Absurd

/// Names that somebody may pass, by mistake or on purpose.
enum BadInput {
    static let names: [String] = [
        "", " ", "\t\n", "\u{a0}", String(repeating: "n", count: 57), String(repeating: "n", count: 58),
        String(repeating: "é", count: 29), "x" + randomText(10_000), "'", "\"", "';drop table canary;--",
        "\"; drop table canary; --", "a\\'b", "$1", "%I %s %L %%", "a:b", "a.b", "😀👩‍👩‍👧‍👦", "e\u{301}",
        "\u{202e}abc",
        "a\u{0}b", "\u{0}", "\u{1}\u{7f}\u{1b}[31m", "a\r\nb", "null", "-1", "--help", "{}", "public.t",
        "c_d", "q_ti",
    ]

    static let durations: [Duration] = [
        .zero, .nanoseconds(1), .seconds(-1), .seconds(Int64.min / 2), .seconds(Int64(Int32.max)),
        .seconds(Int64(Int32.max) + 1), .seconds(Int64.max / 2), .seconds(Int64.max), .days(3_652_500),
        .days(3_652_501), .days(Int.max), .hours(UInt64.max), .minutes(Int.min),
    ]

    static let counts: [Int] = [0, -1, .min, .max, Int(Int32.max), Int(Int32.max) + 1]

    /// Documents that decode to something, or not.
    static let documents: [JSONValue] = [
        .double(.nan), .double(.infinity), .double(-.infinity), .double(1e308),
        .double(.leastNonzeroMagnitude),
        .integer(.max), .integer(.min), .string("a\u{0}b"), .string("\u{fffe}"),
        .string(String(repeating: "x", count: 1 << 20)),
        .object(["": 1]), .object(["a\u{0}b": 1]), nested(499), nested(500), nested(501), nested(1_000),
        nested(5_000),
    ]

    static func nested(_ depth: Int) -> JSONValue {
        (0..<depth).reduce(JSONValue.integer(1)) { value, _ in [value] }
    }

    /// What the server cannot compress, always the same.
    static func randomText(_ count: Int) -> String {
        var state: UInt64 = 1
        return String(
            (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Character(Unicode.Scalar(UInt8(97 + (state >> 33) % 26)))
            })
    }

    /// What a call has to answer; nil where either is right.
    enum Answer: Sendable {
        case works
        case refused(AbsurdError.Code)

        static let invalid = Answer.refused(.invalidArgument)
    }

    /// What a call that takes a queue's name says to it, when there is that queue; the longest name has 57 bytes.
    static func queueName(_ name: String, missing: Bool = false) -> Answer? {
        switch name.utf8.count {
        case 0, 58...: .invalid
        case 57: missing ? .refused(.queueMissing) : .works
        default: nil
        }
    }

    /// What a length of time is answered with, from zero or the first above it to `longest`.
    static func answer(
        _ duration: Duration, zero: Answer? = .works, longest: Duration = .seconds(Int64(Int32.max))
    ) -> Answer? {
        if duration == .zero { return zero }
        return duration < .zero || duration > longest ? .invalid : .works
    }

    /// What a document is answered with that is stored as it is: the deepest has 500 levels.
    static func answer(_ document: JSONValue) -> Answer? {
        switch document {
        case .double(let number) where !number.isFinite: .refused(.unencodable)
        case nested(499), nested(500): .works
        case nested(501), nested(1_000), nested(5_000): .refused(.unencodable)
        case .integer, .double: .works
        default: nil
        }
    }

    /// The codes with which bad input is answered.
    ///
    /// Anything else is a fault of ours.
    static let answers: Set<AbsurdError.Code> = [
        .invalidArgument, .rejected, .queueMissing, .taskMissing, .taskNotFailed, .unencodable, .undecodable,
        .claimLost, .taskCancelled, .runFailed, .timedOut,
    ]
}
