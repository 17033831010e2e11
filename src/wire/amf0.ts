/** AMF0, the format of commands and metadata (Action Message Format -- AMF 0, Adobe 2007). */
export { decodeAmf0, type ReadableAmf, readAmf0, readableAmf0 } from './amf0-reader.js';
export {
  AmfDate,
  AmfEcmaArray,
  type AmfObject,
  AmfReference,
  AmfTypedObject,
  AmfUnsupported,
  type AmfValue,
  AmfXmlDocument,
  createAmfObject,
  defaultAmf0Limits,
  propertiesOf,
} from './amf0-values.js';
export { encodeAmf0 } from './amf0-writer.js';
