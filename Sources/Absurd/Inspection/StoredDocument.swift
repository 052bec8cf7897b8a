import LibPQ

/// A JSON document as the database gives it back, in full or, when it is long, its beginning.
public struct StoredDocument: Sendable, Hashable {
    /// JSON; when ``isWhole`` is false, only the first characters of it.
    public let text: String
    /// The length of the whole document in bytes.
    public let byteCount: Int
    public let isWhole: Bool

    init(text: String, byteCount: Int) {
        self.text = text
        self.byteCount = byteCount
        self.isWhole = text.utf8.count == byteCount
    }

    /// The document as untyped JSON.
    ///
    /// - Throws: `DecodingError` when it is not whole, or nested deeper than Foundation reads.
    public func value() throws -> JSONValue { try JSONText(text).value() }
}

extension StoredDocument {
    /// Selects a `jsonb` column so that ``SQLRow/document(_:)`` finds it.
    ///
    /// - Parameter limit: The most characters to fetch; nil for all.
    static func column(_ expression: String, as name: String, limit: Int?) -> String {
        let text = "(\(expression))::text"
        let fetched = limit.map { "left(\(text), \($0))" } ?? text
        return "\(fetched) as \(name), octet_length(\(text)) as \(name)_bytes"
    }
}

extension SQLRow {
    func document(_ column: String) throws -> StoredDocument? {
        guard let text = try decode(column, as: String?.self) else { return nil }
        return StoredDocument(text: text, byteCount: try decode(column + "_bytes"))
    }
}
