import Absurd

/// A JSON document to print.
///
/// Members keep their order, and documents from the database their very text.
enum JSONOutput {
    case null
    case bool(Bool)
    case integer(Int)
    case string(String)
    case document(String)
    case array([JSONOutput])
    case object([(String, JSONOutput)])

    /// The value, or null when there is none.
    static func optional(_ text: String?) -> JSONOutput { text.map { .string($0) } ?? .null }
    static func optional(_ number: Int?) -> JSONOutput { number.map { .integer($0) } ?? .null }
    static func strings(_ texts: [String]) -> JSONOutput { .array(texts.map { .string($0) }) }
}

extension JSONOutput {
    /// The document over several lines, for people and programs alike.
    var text: String {
        var text = ""
        write(into: &text, indentation: "")
        return text
    }

    private func write(into text: inout String, indentation: String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .string(let value): text += Self.quoted(value)
        case .document(let document): text += document
        case .array(let elements):
            Self.write(elements, between: ("[", "]"), into: &text, indentation: indentation) {
                element, text, inner in
                element.write(into: &text, indentation: inner)
            }
        case .object(let members):
            Self.write(members, between: ("{", "}"), into: &text, indentation: indentation) {
                member, text, inner in
                text += Self.quoted(member.0) + ": "
                member.1.write(into: &text, indentation: inner)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], between brackets: (String, String), into text: inout String,
        indentation: String,
        _ write: (Element, inout String, String) -> Void
    ) {
        guard !elements.isEmpty else {
            text += brackets.0 + brackets.1
            return
        }
        let inner = indentation + "  "
        text += brackets.0
        for (index, element) in elements.enumerated() {
            text += index == 0 ? "\n" : ",\n"
            text += inner
            write(element, &text, inner)
        }
        text += "\n" + indentation + brackets.1
    }

    static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
