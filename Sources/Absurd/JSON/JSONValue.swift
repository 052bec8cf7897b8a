/// A JSON document whose shape is not known when the program is compiled.
///
/// Whole numbers that fit 64 bits stay exact; every other number is a `Double`. Literals work:
/// `["reason": "no file came", "attempts": 3, "last": nil]`.
///
/// A document may be nested up to 500 levels. Encoding a deeper one throws ``AbsurdError`` with the code
/// `unencodable`, decoding one `undecodable`.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

extension JSONValue {
    /// The member of that name, or nil when this is no object or has no such member.
    public subscript(_ key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// The text of a JSON string, nil for anything else.
    public var stringValue: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// A whole number, nil for anything else.
    public var intValue: Int? {
        guard case .integer(let number) = self else { return nil }
        return Int(exactly: number)
    }

    /// Any number, nil for anything else.
    public var doubleValue: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }
}

extension JSONValue {
    /// How many arrays and objects may stand inside one another.
    ///
    /// Encoding and decoding call themselves for each level, and a thread's stack has an end. Foundation's parser
    /// stops at 512 levels; a little fewer here, so that what was written can be read again. Postgres takes some
    /// thousands.
    package static let maximumDepth = 500

    /// - Parameter depth: Of the array or object that is about to be encoded or decoded.
    static func checkDepth(_ depth: Int, _ code: AbsurdError.Code) throws {
        guard depth < maximumDepth else {
            throw AbsurdError(code, "a JSON document must not be nested deeper than \(maximumDepth) levels")
        }
    }
}

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            // Each `try?` asks whether the value has that type; the last branch reports that it has none.
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else {
            try Self.checkDepth(decoder.codingPath.count, .undecodable)
            // Asks only for the kind, so that an error inside is not lost.
            if (try? decoder.unkeyedContainer()) != nil {
                self = .array(try container.decode([JSONValue].self))
            } else {
                self = .object(try container.decode([String: JSONValue].self))
            }
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value):
            try Self.checkDepth(encoder.codingPath.count, .unencodable)
            try container.encode(value)
        case .object(let value):
            try Self.checkDepth(encoder.codingPath.count, .unencodable)
            try container.encode(value)
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// The last of two members with the same name wins.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { _, last in last }))
    }
}
