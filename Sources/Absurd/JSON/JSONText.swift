import LibPQ

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One JSON document as text, the form in which it travels to and from the database.
///
/// Text goes through unparsed where nobody looks inside, so a document keeps what a parser would lose: the
/// digits of large numbers and the order of members.
package struct JSONText: Hashable, Sendable {
    package var text: String

    package init(_ text: String) { self.text = text }

    package static let null = JSONText("null")

    /// Encodes a value; dates as ISO 8601 text with microseconds, data as base64.
    package init(encoding value: some Encodable) throws {
        if let value = value as? JSONValue {
            text = try value.text()
            return
        }
        if value is JSONNull {
            self = .null
            return
        }
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .custom { date, encoder in
            let seconds = date.timeIntervalSinceReferenceDate
            guard abs(seconds) < Duration.longestStored.inSeconds else {
                // Not the date itself: Foundation traps where it describes one that is no number.
                throw EncodingError.invalidValue(
                    seconds,
                    .init(codingPath: encoder.codingPath, debugDescription: "no date within 10,000 years"))
            }
            var container = encoder.singleValueContainer()
            try container.encode(ISO8601.format(PostgresTimestamp(date)))
        }
        encoder.outputFormatting = [.withoutEscapingSlashes]
        self.text = String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    package func decode<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom(Self.decodeDate)
        return try decoder.decode(type, from: Data(text.utf8))
    }

    package func value() throws -> JSONValue { try decode(as: JSONValue.self) }

    /// Accepts ISO 8601 with and without fractional seconds, so that dates written by the other SDKs decode.
    private static func decodeDate(_ decoder: any Decoder) throws -> Date {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let instant = ISO8601.parse(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not an ISO 8601 date: \(text)"))
        }
        return instant.date
    }
}

/// Encodes as JSON `null`: the value of what has no value.
package struct JSONNull: Codable, Sendable {
    package init() {}
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encodeNil()
    }
    package init(from decoder: any Decoder) throws {}
}

/// Says in one line where a document does not fit a type, without quoting the document.
package func describe(_ error: DecodingError) -> String {
    func place(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "at the top level" : "at '\(path.map(\.stringValue).joined(separator: "."))'"
    }
    switch error {
    case .keyNotFound(let key, let context):
        return "key '\(key.stringValue)' is missing \(place(context.codingPath))"
    case .valueNotFound(let type, let context):
        return "null \(place(context.codingPath)) where \(type) is needed"
    case .typeMismatch(let type, let context):
        return "the value \(place(context.codingPath)) is no \(type)"
    case .dataCorrupted(let context):
        return "the value \(place(context.codingPath)) cannot be read"
    @unknown default:
        return "the value cannot be read"
    }
}
