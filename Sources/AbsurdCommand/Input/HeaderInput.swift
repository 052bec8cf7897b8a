import Absurd

/// Headers as `key=text` or `key:=json`.
enum HeaderInput {
    /// - Throws: ``AbsurdError`` with the code `invalidArgument`.
    static func headers(_ arguments: [String]) throws -> [String: JSONValue] {
        var headers: [String: JSONValue] = [:]
        for argument in arguments {
            let (key, value) = try header(argument)
            headers[key] = value
        }
        return headers
    }

    private static func header(_ argument: String) throws -> (String, JSONValue) {
        guard let equals = argument.firstIndex(of: "=") else { throw malformed(argument) }
        let text = String(argument[argument.index(after: equals)...])
        var key = argument[..<equals]
        let isJSON = key.last == ":"
        if isJSON { key = key.dropLast() }
        guard !key.isEmpty else { throw malformed(argument) }
        guard isJSON else { return (String(key), .string(text)) }
        return (String(key), try JSONInput.document(text, named: "header '\(key)'").value())
    }

    private static func malformed(_ argument: String) -> AbsurdError {
        .invalidArgument("a header is 'key=text' or 'key:=json', and not '\(argument)'")
    }
}
