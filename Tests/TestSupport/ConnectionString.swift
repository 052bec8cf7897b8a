import Foundation

/// A connection string of libpq whose database can be exchanged.
package struct ConnectionString: Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// The same server, another database.
    package func naming(database: String) -> String {
        guard let scheme = text.range(of: "://") else {
            // Of a key that comes twice, libpq takes the last.
            return "\(text) dbname=\(database)"
        }
        let rest = text[scheme.upperBound...]
        let query = rest.firstIndex(of: "?").map { rest[$0...] } ?? ""
        let hosts = rest.dropLast(query.count).prefix { $0 != "/" }
        return "\(text[..<scheme.upperBound])\(hosts)/\(database)\(query)"
    }
}
