//! What the stand-in serves: its own types, without those of the platform that no client of ours needs.
//!
//! A test holds each of them against the platform's schemas, so that nothing is served that is not there.

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;

/// Stands for the arguments that each connection takes.
const PAGE: &str = "%page";
const PAGE_ARGS: &str = "after: String before: String first: Int last: Int";

/// The types that have a connection.
const CONNECTIONS: &[&str] = &[
    "Product",
    "ProductVariant",
    "Collection",
    "Media",
    "File",
    "Metafield",
    "MetafieldDefinition",
    "TranslatableResource",
    "WebhookSubscription",
    "BulkOperation",
    "Event",
    "Location",
    "Publication",
    "ResourcePublicationV2",
    "InventoryLevel",
];

/// Reads the types.
#[expect(clippy::expect_used, reason = "the text is a constant, and a test reads it")]
pub(super) fn schema() -> Valid<Schema> {
    Schema::parse_and_validate(text(), "surface.graphql").expect("the stand-in's own types are valid")
}

/// The types as one text.
pub(super) fn text() -> String {
    let mut text = [TYPES, INPUTS, ENUMS].concat().replace(PAGE, PAGE_ARGS);
    for name in CONNECTIONS {
        text.push_str(&format!(
            "type {name}Connection {{ edges: [{name}Edge!]! nodes: [{name}!]! pageInfo: PageInfo! }}\n\
             type {name}Edge {{ cursor: String! node: {name}! }}\n"
        ));
    }
    for (name, code) in USER_ERRORS {
        text.push_str(&format!("type {name} {{ code: {code} field: [String!] message: String! }}\n"));
    }
    text
}

const USER_ERRORS: &[(&str, &str)] = &[
    ("FilesUserError", "FilesErrorCode"),
    ("TranslationUserError", "TranslationErrorCode"),
    ("ProductOptionUpdateUserError", "ProductOptionUpdateUserErrorCode"),
    ("ProductVariantsBulkUpdateUserError", "ProductVariantsBulkUpdateUserErrorCode"),
    ("ProductSetUserError", "ProductSetUserErrorCode"),
    ("BulkOperationUserError", "BulkOperationUserErrorCode"),
    ("BulkMutationUserError", "BulkMutationErrorCode"),
    ("InventorySetQuantitiesUserError", "InventorySetQuantitiesUserErrorCode"),
];

const TYPES: &str = r#"
schema { query: QueryRoot mutation: Mutation }
scalar DateTime scalar HTML scalar URL scalar Money scalar Decimal scalar UnsignedInt64 scalar JSON
scalar FormattedString scalar ARN scalar CountryCode scalar CurrencyCode
directive @idempotent(key: String!) on FIELD

type QueryRoot {
  bulkOperation(id: ID!): BulkOperation
  bulkOperations(%page query: String reverse: Boolean = false sortKey: BulkOperationsSortKeys = CREATED_AT): BulkOperationConnection!
  collection(id: ID!): Collection
  collections(%page query: String reverse: Boolean = false sortKey: CollectionSortKeys = ID): CollectionConnection!
  collectionsCount(limit: Int = 10000 query: String): Count
  currentAppInstallation: AppInstallation!
  currentBulkOperation(type: BulkOperationType = QUERY): BulkOperation
  events(%page query: String reverse: Boolean = false sortKey: EventSortKeys = ID): EventConnection
  files(%page query: String reverse: Boolean = false sortKey: FileSortKeys = ID): FileConnection!
  locations(%page query: String reverse: Boolean = false sortKey: LocationSortKeys = NAME): LocationConnection!
  node(id: ID!): Node
  metafieldDefinitions(%page ownerType: MetafieldOwnerType! reverse: Boolean = false sortKey: MetafieldDefinitionSortKeys = ID): MetafieldDefinitionConnection!
  nodes(ids: [ID!]!): [Node]!
  product(id: ID!): Product
  productByIdentifier(identifier: ProductIdentifierInput!): Product
  productOperation(id: ID!): ProductOperation
  productVariant(id: ID!): ProductVariant
  productVariants(%page query: String reverse: Boolean = false sortKey: ProductVariantSortKeys = ID): ProductVariantConnection!
  productVariantsCount(limit: Int = 10000 query: String): Count
  products(%page query: String reverse: Boolean = false sortKey: ProductSortKeys = ID): ProductConnection!
  productsCount(limit: Int = 10000 query: String): Count
  publicApiVersions: [ApiVersion!]!
  publications(%page reverse: Boolean = false): PublicationConnection!
  shop: Shop!
  shopLocales(published: Boolean = false): [ShopLocale!]!
  translatableResource(resourceId: ID!): TranslatableResource
  translatableResources(%page resourceType: TranslatableResourceType! reverse: Boolean = false): TranslatableResourceConnection!
  translatableResourcesByIds(%page resourceIds: [ID!]! reverse: Boolean = false): TranslatableResourceConnection!
  webhookSubscription(id: ID!): WebhookSubscription
  webhookSubscriptions(%page format: WebhookSubscriptionFormat query: String reverse: Boolean = false sortKey: WebhookSubscriptionSortKeys = CREATED_AT topics: [WebhookSubscriptionTopic!] uri: String): WebhookSubscriptionConnection!
}

type Mutation {
  bulkOperationCancel(id: ID!): BulkOperationCancelPayload
  bulkOperationRunMutation(clientIdentifier: String mutation: String! stagedUploadPath: String!): BulkOperationRunMutationPayload
  bulkOperationRunQuery(groupObjects: Boolean! = false query: String!): BulkOperationRunQueryPayload
  fileUpdate(files: [FileUpdateInput!]!): FileUpdatePayload
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  metafieldsDelete(metafields: [MetafieldIdentifierInput!]!): MetafieldsDeletePayload
  metafieldsSet(metafields: [MetafieldsSetInput!]!): MetafieldsSetPayload
  productOptionUpdate(option: OptionUpdateInput! optionValuesToAdd: [OptionValueCreateInput!] optionValuesToDelete: [ID!] optionValuesToUpdate: [OptionValueUpdateInput!] productId: ID! variantStrategy: ProductOptionUpdateVariantStrategy): ProductOptionUpdatePayload
  productSet(identifier: ProductSetIdentifiers input: ProductSetInput! synchronous: Boolean = true): ProductSetPayload
  productUpdate(product: ProductUpdateInput): ProductUpdatePayload
  productVariantsBulkUpdate(allowPartialUpdates: Boolean = false productId: ID! variants: [ProductVariantsBulkInput!]!): ProductVariantsBulkUpdatePayload
  publishablePublish(id: ID! input: [PublicationInput!]!): PublishablePublishPayload
  stagedUploadsCreate(input: [StagedUploadInput!]!): StagedUploadsCreatePayload
  tagsAdd(id: ID! tags: [String!]!): TagsAddPayload
  tagsRemove(id: ID! tags: [String!]!): TagsRemovePayload
  translationsRegister(resourceId: ID! translations: [TranslationInput!]!): TranslationsRegisterPayload
  translationsRemove(locales: [String!]! marketIds: [ID!] resourceId: ID! translationKeys: [String!]!): TranslationsRemovePayload
  webhookSubscriptionCreate(topic: WebhookSubscriptionTopic! webhookSubscription: WebhookSubscriptionInput!): WebhookSubscriptionCreatePayload
  webhookSubscriptionDelete(id: ID!): WebhookSubscriptionDeletePayload
  webhookSubscriptionUpdate(id: ID! webhookSubscription: WebhookSubscriptionInput!): WebhookSubscriptionUpdatePayload
}

interface Node { id: ID! }
interface HasMetafields {
  metafield(key: String! namespace: String): Metafield
  metafields(%page keys: [String!] namespace: String reverse: Boolean = false): MetafieldConnection!
}
interface File { alt: String createdAt: DateTime! fileErrors: [FileError!]! fileStatus: FileStatus! id: ID! preview: MediaPreviewImage updatedAt: DateTime! }
interface Media { alt: String id: ID! mediaContentType: MediaContentType! mediaErrors: [MediaError!]! mediaWarnings: [MediaWarning!]! preview: MediaPreviewImage status: MediaStatus! }
interface Event { action: String! appTitle: String createdAt: DateTime! id: ID! message: FormattedString! }
interface Publishable { publishedOnPublication(publicationId: ID!): Boolean! }
interface ProductOperation { product: Product status: ProductOperationStatus! }

type Product implements HasMetafields & Node & Publishable {
  category: TaxonomyCategory
  collections(%page query: String reverse: Boolean = false sortKey: CollectionSortKeys = ID): CollectionConnection!
  createdAt: DateTime!
  defaultCursor: String!
  description(truncateAt: Int): String!
  descriptionHtml: HTML!
  featuredMedia: Media
  handle: String!
  hasOnlyDefaultVariant: Boolean!
  hasOutOfStockVariants: Boolean!
  id: ID!
  isGiftCard: Boolean!
  legacyResourceId: UnsignedInt64!
  media(%page query: String reverse: Boolean = false sortKey: ProductMediaSortKeys = POSITION): MediaConnection!
  mediaCount: Count
  metafield(key: String! namespace: String): Metafield
  metafields(%page keys: [String!] namespace: String reverse: Boolean = false): MetafieldConnection!
  onlineStorePreviewUrl: URL
  onlineStoreUrl: URL
  options(first: Int): [ProductOption!]!
  priceRangeV2: ProductPriceRangeV2!
  productType: String!
  publishedAt: DateTime
  publishedOnPublication(publicationId: ID!): Boolean!
  requiresSellingPlan: Boolean!
  resourcePublicationsV2(%page onlyPublished: Boolean = true reverse: Boolean = false): ResourcePublicationV2Connection!
  seo: SEO!
  status: ProductStatus!
  tags: [String!]!
  templateSuffix: String
  title: String!
  totalInventory: Int!
  tracksInventory: Boolean!
  translations(locale: String! marketId: ID): [Translation!]!
  updatedAt: DateTime!
  variants(%page reverse: Boolean = false sortKey: ProductVariantSortKeys = POSITION): ProductVariantConnection!
  variantsCount: Count
  vendor: String!
}
type ProductVariant implements HasMetafields & Node {
  availableForSale: Boolean!
  barcode: String
  compareAtPrice: Money
  createdAt: DateTime!
  displayName: String!
  id: ID!
  inventoryItem: InventoryItem!
  inventoryPolicy: ProductVariantInventoryPolicy!
  inventoryQuantity: Int
  legacyResourceId: UnsignedInt64!
  media(%page reverse: Boolean = false): MediaConnection!
  metafield(key: String! namespace: String): Metafield
  metafields(%page keys: [String!] namespace: String reverse: Boolean = false): MetafieldConnection!
  position: Int!
  price: Money!
  product: Product!
  selectedOptions: [SelectedOption!]!
  sellableOnlineQuantity: Int!
  sku: String
  taxable: Boolean!
  title: String!
  translations(locale: String! marketId: ID): [Translation!]!
  unitPriceMeasurement: UnitPriceMeasurement
  updatedAt: DateTime!
}
type InventoryItem implements Node {
  countryCodeOfOrigin: CountryCode
  createdAt: DateTime!
  harmonizedSystemCode: String
  id: ID!
  inventoryLevel(includeInactive: Boolean = false locationId: ID!): InventoryLevel
  inventoryLevels(%page includeInactive: Boolean = false query: String reverse: Boolean = false): InventoryLevelConnection!
  legacyResourceId: UnsignedInt64!
  measurement: InventoryItemMeasurement!
  requiresShipping: Boolean!
  sku: String
  tracked: Boolean!
  unitCost: MoneyV2
  updatedAt: DateTime!
  variants(%page): ProductVariantConnection
}
type InventoryItemMeasurement implements Node { id: ID! weight: Weight }
type InventoryLevel implements Node { id: ID! item: InventoryItem! location: Location! quantities(names: [String!]!): [InventoryQuantity!]! updatedAt: DateTime! }
type InventoryQuantity { id: ID! name: String! quantity: Int! updatedAt: DateTime }
type InventoryAdjustmentGroup implements Node { createdAt: DateTime! id: ID! reason: String! referenceDocumentUri: String }
type Weight { unit: WeightUnit! value: Float! }
type UnitPriceMeasurement { measuredType: UnitPriceMeasurementMeasuredType quantityUnit: UnitPriceMeasurementMeasuredUnit quantityValue: Float! referenceUnit: UnitPriceMeasurementMeasuredUnit referenceValue: Int! }
type MoneyV2 { amount: Decimal! currencyCode: CurrencyCode! }
type ProductPriceRangeV2 { maxVariantPrice: MoneyV2! minVariantPrice: MoneyV2! }
type SelectedOption { name: String! optionValue: ProductOptionValue! value: String! }
type ProductOption implements Node { id: ID! linkedMetafield: LinkedMetafield name: String! optionValues: [ProductOptionValue!]! position: Int! translations(locale: String! marketId: ID): [Translation!]! values: [String!]! }
type ProductOptionValue implements Node { hasVariants: Boolean! id: ID! linkedMetafieldValue: String name: String! swatch: ProductOptionValueSwatch translations(locale: String! marketId: ID): [Translation!]! }
type ProductOptionValueSwatch { color: Color }
scalar Color
type LinkedMetafield { key: String namespace: String }
type SEO { description: String title: String }
type TaxonomyCategory implements Node { ancestorIds: [ID!]! childrenIds: [ID!]! fullName: String! id: ID! isArchived: Boolean! isLeaf: Boolean! isRoot: Boolean! level: Int! name: String! parentId: ID }
type Count { count: Int! precision: CountPrecision! }
type PageInfo { endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String }
type Collection implements HasMetafields & Node & Publishable {
  description(truncateAt: Int): String!
  descriptionHtml: HTML!
  handle: String!
  hasProduct(id: ID!): Boolean!
  id: ID!
  image: Image
  legacyResourceId: UnsignedInt64!
  metafield(key: String! namespace: String): Metafield
  metafields(%page keys: [String!] namespace: String reverse: Boolean = false): MetafieldConnection!
  products(%page reverse: Boolean = false sortKey: ProductCollectionSortKeys = COLLECTION_DEFAULT): ProductConnection!
  productsCount: Count
  publishedOnPublication(publicationId: ID!): Boolean!
  seo: SEO!
  sortOrder: CollectionSortOrder!
  templateSuffix: String
  title: String!
  translations(locale: String! marketId: ID): [Translation!]!
  updatedAt: DateTime!
}
type Metafield implements Node {
  compareDigest: String!
  createdAt: DateTime!
  definition: MetafieldDefinition
  id: ID!
  jsonValue: JSON!
  key: String!
  legacyResourceId: UnsignedInt64!
  namespace: String!
  owner: HasMetafields!
  ownerType: MetafieldOwnerType!
  sizeInBytes: Int!
  translations(locale: String! marketId: ID): [Translation!]!
  type: String!
  updatedAt: DateTime!
  value: String!
}
type MetafieldDefinition implements Node { description: String id: ID! key: String! name: String! namespace: String! type: MetafieldDefinitionType! }
type MetafieldDefinitionType { name: String! }
type MetafieldIdentifier { key: String! namespace: String! ownerId: ID! }
type MediaImage implements File & Media & Node { alt: String createdAt: DateTime! fileErrors: [FileError!]! fileStatus: FileStatus! id: ID! image: Image mediaContentType: MediaContentType! mediaErrors: [MediaError!]! mediaWarnings: [MediaWarning!]! mimeType: String originalSource: MediaImageOriginalSource preview: MediaPreviewImage status: MediaStatus! translations(locale: String! marketId: ID): [Translation!]! updatedAt: DateTime! }
type Video implements File & Media & Node { alt: String createdAt: DateTime! duration: Int fileErrors: [FileError!]! fileStatus: FileStatus! filename: String! id: ID! mediaContentType: MediaContentType! mediaErrors: [MediaError!]! mediaWarnings: [MediaWarning!]! originalSource: VideoSource preview: MediaPreviewImage sources: [VideoSource!]! status: MediaStatus! updatedAt: DateTime! }
type ExternalVideo implements File & Media & Node { alt: String createdAt: DateTime! embedUrl: URL! fileErrors: [FileError!]! fileStatus: FileStatus! host: MediaHost! id: ID! mediaContentType: MediaContentType! mediaErrors: [MediaError!]! mediaWarnings: [MediaWarning!]! originUrl: URL! preview: MediaPreviewImage status: MediaStatus! updatedAt: DateTime! }
type Model3d implements File & Media & Node { alt: String createdAt: DateTime! fileErrors: [FileError!]! fileStatus: FileStatus! filename: String! id: ID! mediaContentType: MediaContentType! mediaErrors: [MediaError!]! mediaWarnings: [MediaWarning!]! originalSource: Model3dSource preview: MediaPreviewImage sources: [Model3dSource!]! status: MediaStatus! updatedAt: DateTime! }
type MediaImageOriginalSource { fileSize: Int url: URL }
type MediaPreviewImage { image: Image status: MediaPreviewImageStatus! }
type Image { altText: String height: Int id: ID url: URL! width: Int }
type VideoSource { fileSize: Int format: String! height: Int! mimeType: String! url: String! width: Int! }
type Model3dSource { filesize: Int! format: String! mimeType: String! url: String! }
type FileError { code: FileErrorCode! details: String message: String! }
type MediaError { code: MediaErrorCode! details: String message: String! }
type MediaWarning { code: MediaWarningCode! message: String }
type Translation { key: String! locale: String! outdated: Boolean! updatedAt: DateTime value: String }
type TranslatableContent { digest: String key: String! locale: String! type: LocalizableContentType! value: String }
type TranslatableResource {
  nestedTranslatableResources(%page resourceType: TranslatableResourceType reverse: Boolean = false): TranslatableResourceConnection!
  resourceId: ID!
  translatableContent(marketId: ID): [TranslatableContent!]!
  translations(locale: String! marketId: ID outdated: Boolean): [Translation!]!
}
type ShopLocale { locale: String! name: String! primary: Boolean! published: Boolean! }
type Shop implements HasMetafields & Node {
  contactEmail: String!
  createdAt: DateTime!
  currencyCode: CurrencyCode!
  description: String
  email: String!
  enabledPresentmentCurrencies: [CurrencyCode!]!
  features: ShopFeatures!
  ianaTimezone: String!
  id: ID!
  metafield(key: String! namespace: String): Metafield
  metafields(%page keys: [String!] namespace: String reverse: Boolean = false): MetafieldConnection!
  myshopifyDomain: String!
  name: String!
  plan: ShopPlan!
  primaryDomain: Domain!
  resourceLimits: ShopResourceLimits!
  setupRequired: Boolean!
  shopOwnerName: String!
  taxesIncluded: Boolean!
  timezoneAbbreviation: String!
  timezoneOffset: String!
  timezoneOffsetMinutes: Int!
  unitSystem: UnitSystem!
  updatedAt: DateTime!
  url: URL!
  weightUnit: WeightUnit!
}
type ShopPlan { partnerDevelopment: Boolean! publicDisplayName: String! shopifyPlus: Boolean! }
type ShopFeatures { bundles: BundlesFeature! sellsSubscriptions: Boolean! }
type BundlesFeature { eligibleForBundles: Boolean! sellsBundles: Boolean! }
type ShopResourceLimits { locationLimit: Int! maxProductOptions: Int! maxProductVariants: Int! redirectLimitReached: Boolean! }
type Domain implements Node { host: String! id: ID! sslEnabled: Boolean! url: URL! }
type ApiVersion { displayName: String! handle: String! supported: Boolean! }
type AppInstallation implements Node { accessScopes: [AccessScope!]! app: App! id: ID! launchUrl: URL! }
type App implements Node { apiKey: String! handle: String id: ID! title: String! }
type AccessScope { description: String! handle: String! }
type Location implements Node { id: ID! isActive: Boolean! legacyResourceId: UnsignedInt64! name: String! }
type Publication implements Node { autoPublish: Boolean! id: ID! }
type ResourcePublicationV2 { isPublished: Boolean! publication: Publication! publishDate: DateTime publishable: Publishable! }
type BasicEvent implements Event & Node { action: String! appTitle: String createdAt: DateTime! id: ID! message: FormattedString! subjectId: ID! subjectType: EventSubjectType! }
type BulkOperation implements Node { completedAt: DateTime createdAt: DateTime! errorCode: BulkOperationErrorCode fileSize: UnsignedInt64 id: ID! objectCount: UnsignedInt64! partialDataUrl: URL query: String! rootObjectCount: UnsignedInt64! status: BulkOperationStatus! type: BulkOperationType! url: URL }
type WebhookSubscription implements Node { apiVersion: ApiVersion! callbackUrl: URL! @deprecated(reason: "Use `uri` instead.") createdAt: DateTime! endpoint: WebhookSubscriptionEndpoint! @deprecated(reason: "Use `uri` instead.") filter: String format: WebhookSubscriptionFormat! id: ID! includeFields: [String!]! legacyResourceId: UnsignedInt64! metafieldNamespaces: [String!]! metafields: [WebhookSubscriptionMetafieldIdentifier!]! name: String topic: WebhookSubscriptionTopic! updatedAt: DateTime! uri: String! }
union WebhookSubscriptionEndpoint = WebhookEventBridgeEndpoint | WebhookHttpEndpoint | WebhookPubSubEndpoint
type WebhookEventBridgeEndpoint { arn: ARN! }
type WebhookHttpEndpoint { callbackUrl: URL! }
type WebhookPubSubEndpoint { pubSubProject: String! pubSubTopic: String! }
type WebhookSubscriptionMetafieldIdentifier { key: String! namespace: String! }
type StagedMediaUploadTarget { parameters: [StagedUploadParameter!]! resourceUrl: URL url: URL }
type StagedUploadParameter { name: String! value: String! }
type ProductSetOperation implements Node & ProductOperation { id: ID! product: Product status: ProductOperationStatus! userErrors: [ProductSetUserError!]! }

type UserError { field: [String!] message: String! }
type MetafieldsSetUserError { code: MetafieldsSetUserErrorCode elementIndex: Int field: [String!] message: String! }
type BulkOperationCancelPayload { bulkOperation: BulkOperation userErrors: [UserError!]! }
type BulkOperationRunMutationPayload { bulkOperation: BulkOperation userErrors: [BulkMutationUserError!]! }
type BulkOperationRunQueryPayload { bulkOperation: BulkOperation userErrors: [BulkOperationUserError!]! }
type FileUpdatePayload { files: [File!] userErrors: [FilesUserError!]! }
type InventorySetQuantitiesPayload { inventoryAdjustmentGroup: InventoryAdjustmentGroup userErrors: [InventorySetQuantitiesUserError!]! }
type MetafieldsDeletePayload { deletedMetafields: [MetafieldIdentifier] userErrors: [UserError!]! }
type MetafieldsSetPayload { metafields: [Metafield!] userErrors: [MetafieldsSetUserError!]! }
type ProductOptionUpdatePayload { product: Product userErrors: [ProductOptionUpdateUserError!]! }
type ProductSetPayload { product: Product productSetOperation: ProductSetOperation userErrors: [ProductSetUserError!]! }
type ProductUpdatePayload { product: Product userErrors: [UserError!]! }
type ProductVariantsBulkUpdatePayload { product: Product productVariants: [ProductVariant!] userErrors: [ProductVariantsBulkUpdateUserError!]! }
type PublishablePublishPayload { publishable: Publishable shop: Shop! userErrors: [UserError!]! }
type StagedUploadsCreatePayload { stagedTargets: [StagedMediaUploadTarget!] userErrors: [UserError!]! }
type TagsAddPayload { node: Node userErrors: [UserError!]! }
type TagsRemovePayload { node: Node userErrors: [UserError!]! }
type TranslationsRegisterPayload { translations: [Translation!] userErrors: [TranslationUserError!]! }
type TranslationsRemovePayload { translations: [Translation!] userErrors: [TranslationUserError!]! }
type WebhookSubscriptionCreatePayload { userErrors: [UserError!]! webhookSubscription: WebhookSubscription }
type WebhookSubscriptionDeletePayload { deletedWebhookSubscriptionId: ID userErrors: [UserError!]! }
type WebhookSubscriptionUpdatePayload { userErrors: [UserError!]! webhookSubscription: WebhookSubscription }
"#;

const INPUTS: &str = r#"
input ProductIdentifierInput { customId: UniqueMetafieldValueInput handle: String id: ID }
input UniqueMetafieldValueInput { key: String! namespace: String value: String! }
input ProductSetIdentifiers { customId: UniqueMetafieldValueInput handle: String id: ID }
input ProductUpdateInput {
  category: ID collectionsToJoin: [ID!] collectionsToLeave: [ID!] deleteConflictingConstrainedMetafields: Boolean = false
  descriptionHtml: String giftCardTemplateSuffix: String handle: String id: ID metafields: [MetafieldInput!]
  productType: String redirectNewHandle: Boolean requiresSellingPlan: Boolean seo: SEOInput status: ProductStatus
  tags: [String!] templateSuffix: String title: String vendor: String
}
input SEOInput { description: String title: String }
input MetafieldInput { id: ID key: String namespace: String type: String value: String }
input MetafieldsSetInput { compareDigest: String key: String! namespace: String ownerId: ID! type: String value: String! }
input MetafieldIdentifierInput { key: String! namespace: String! ownerId: ID! }
input FileUpdateInput { alt: String filename: String id: ID! originalSource: String previewImageSource: String referencesToAdd: [ID!] referencesToRemove: [ID!] }
input TranslationInput { key: String! locale: String! marketId: ID translatableContentDigest: String! value: String! }
input OptionUpdateInput { id: ID! name: String position: Int }
input OptionValueUpdateInput { id: ID! linkedMetafieldValue: String name: String }
input OptionValueCreateInput { linkedMetafieldValue: String name: String }
input ProductVariantsBulkInput {
  barcode: String compareAtPrice: Money id: ID inventoryItem: InventoryItemInput inventoryPolicy: ProductVariantInventoryPolicy
  metafields: [MetafieldInput!] mediaId: ID optionValues: [VariantOptionValueInput!] price: Money taxable: Boolean
}
input InventoryItemInput { cost: Decimal countryCodeOfOrigin: CountryCode harmonizedSystemCode: String measurement: InventoryItemMeasurementInput requiresShipping: Boolean sku: String tracked: Boolean }
input InventoryItemMeasurementInput { weight: WeightInput }
input WeightInput { unit: WeightUnit! value: Float! }
input VariantOptionValueInput { id: ID linkedMetafieldValue: String name: String optionId: ID optionName: String }
input ProductSetInput {
  category: ID collections: [ID!] descriptionHtml: String files: [FileSetInput!] handle: String metafields: [MetafieldInput!]
  productOptions: [OptionSetInput!] productType: String redirectNewHandle: Boolean seo: SEOInput status: ProductStatus
  tags: [String!] templateSuffix: String title: String variants: [ProductVariantSetInput!] vendor: String
}
input FileSetInput { alt: String filename: String id: ID originalSource: String }
input OptionSetInput { id: ID name: String position: Int values: [OptionValueSetInput!] }
input OptionValueSetInput { id: ID name: String }
input ProductVariantSetInput {
  barcode: String compareAtPrice: Money id: ID inventoryItem: InventoryItemInput inventoryPolicy: ProductVariantInventoryPolicy
  metafields: [MetafieldInput!] optionValues: [VariantOptionValueInput!]! position: Int price: Money sku: String taxable: Boolean
}
input PublicationInput { publicationId: ID publishDate: DateTime }
input InventorySetQuantitiesInput { name: String! quantities: [InventoryQuantityInput!]! reason: String! referenceDocumentUri: String }
input InventoryQuantityInput { changeFromQuantity: Int inventoryItemId: ID! locationId: ID! quantity: Int! }
input StagedUploadInput { fileSize: UnsignedInt64 filename: String! httpMethod: StagedUploadHttpMethodType = PUT mimeType: String! resource: StagedUploadTargetGenerateUploadResource! }
input WebhookSubscriptionInput { callbackUrl: URL @deprecated(reason: "Use `uri` instead.") filter: String format: WebhookSubscriptionFormat includeFields: [String!] metafieldNamespaces: [String!] metafields: [HasMetafieldsMetafieldIdentifierInput!] name: String uri: String }
input HasMetafieldsMetafieldIdentifierInput { key: String! namespace: String }
"#;

const ENUMS: &str = r#"
enum ProductStatus { ACTIVE ARCHIVED DRAFT UNLISTED }
enum ProductSortKeys { CREATED_AT ID INVENTORY_TOTAL PRODUCT_TYPE PUBLISHED_AT RELEVANCE TITLE UPDATED_AT VENDOR }
enum ProductVariantSortKeys { ID POSITION SKU TITLE }
enum ProductMediaSortKeys { ID POSITION }
enum ProductCollectionSortKeys { COLLECTION_DEFAULT ID TITLE }
enum CollectionSortKeys { ID TITLE UPDATED_AT }
enum CollectionSortOrder { ALPHA_ASC BEST_SELLING MANUAL }
enum FileSortKeys { CREATED_AT ID UPDATED_AT }
enum EventSortKeys { CREATED_AT ID }
enum LocationSortKeys { ID NAME }
enum BulkOperationsSortKeys { COMPLETED_AT CREATED_AT }
enum WebhookSubscriptionSortKeys { CREATED_AT ID }
enum ProductVariantInventoryPolicy { CONTINUE DENY }
enum ProductOperationStatus { ACTIVE COMPLETE CREATED }
enum ProductOptionUpdateVariantStrategy { LEAVE_AS_IS MANAGE }
enum CountPrecision { AT_LEAST EXACT }
enum MediaContentType { EXTERNAL_VIDEO IMAGE MODEL_3D VIDEO }
enum MediaStatus { FAILED PROCESSING READY UPLOADED }
enum MediaPreviewImageStatus { FAILED PROCESSING READY UPLOADED }
enum FileStatus { FAILED PROCESSING READY UPLOADED }
enum MediaHost { VIMEO YOUTUBE }
enum FileErrorCode { UNKNOWN }
enum MediaErrorCode { UNKNOWN }
enum MediaWarningCode { MODEL_SMALL_PHYSICAL_SIZE }
enum WeightUnit { GRAMS KILOGRAMS OUNCES POUNDS }
enum UnitSystem { IMPERIAL_SYSTEM METRIC_SYSTEM }
enum UnitPriceMeasurementMeasuredType { AREA LENGTH VOLUME WEIGHT UNKNOWN }
enum UnitPriceMeasurementMeasuredUnit { CL CM G KG L M ML MM }
enum MetafieldDefinitionSortKeys { ID NAME }
enum MetafieldOwnerType { COLLECTION PRODUCT PRODUCTVARIANT SHOP }
enum LocalizableContentType { HTML JSON LINK MULTI_LINE_TEXT_FIELD RICH_TEXT_FIELD SINGLE_LINE_TEXT_FIELD STRING URI URL }
enum TranslatableResourceType { COLLECTION METAFIELD PRODUCT PRODUCT_OPTION PRODUCT_OPTION_VALUE SHOP }
enum EventSubjectType { COLLECTION PRODUCT PRODUCT_VARIANT UNKNOWN }
enum BulkOperationErrorCode { ACCESS_DENIED INTERNAL_SERVER_ERROR TIMEOUT }
enum BulkOperationStatus { CANCELED CANCELING COMPLETED CREATED EXPIRED FAILED RUNNING }
enum BulkOperationType { MUTATION QUERY }
enum BulkOperationUserErrorCode { INVALID LIMIT_REACHED OPERATION_IN_PROGRESS }
enum BulkMutationErrorCode { INTERNAL_FILE_SERVER_ERROR INVALID_MUTATION INVALID_STAGED_UPLOAD_FILE LIMIT_REACHED NO_SUCH_FILE OPERATION_IN_PROGRESS }
enum StagedUploadHttpMethodType { POST PUT }
enum StagedUploadTargetGenerateUploadResource { BULK_MUTATION_VARIABLES FILE IMAGE MODEL_3D VIDEO }
enum WebhookSubscriptionFormat { JSON XML }
enum WebhookSubscriptionTopic {
  APP_UNINSTALLED APP_SCOPES_UPDATE BULK_OPERATIONS_FINISH COLLECTIONS_CREATE COLLECTIONS_DELETE COLLECTIONS_UPDATE INVENTORY_ITEMS_CREATE
  INVENTORY_ITEMS_DELETE INVENTORY_ITEMS_UPDATE INVENTORY_LEVELS_CONNECT INVENTORY_LEVELS_DISCONNECT INVENTORY_LEVELS_UPDATE LOCALES_CREATE
  LOCALES_UPDATE PRODUCTS_CREATE PRODUCTS_DELETE PRODUCTS_UPDATE PRODUCT_PUBLICATIONS_CREATE PRODUCT_PUBLICATIONS_DELETE
  PRODUCT_PUBLICATIONS_UPDATE SHOP_UPDATE
}
enum FilesErrorCode { ALT_VALUE_LIMIT_EXCEEDED FILE_DOES_NOT_EXIST FILE_LOCKED INVALID NON_READY_STATE TOO_MANY_ARGUMENTS }
enum MetafieldsSetUserErrorCode { APP_NOT_AUTHORIZED BLANK INTERNAL_ERROR INVALID INVALID_COMPARE_DIGEST INVALID_TYPE INVALID_VALUE LESS_THAN_OR_EQUAL_TO STALE_OBJECT TOO_LONG TOO_SHORT }
enum TranslationErrorCode { BLANK INVALID INVALID_KEY_FOR_MODEL INVALID_LOCALE_FOR_SHOP INVALID_TRANSLATABLE_CONTENT RESOURCE_NOT_FOUND RESOURCE_NOT_TRANSLATABLE TOO_MANY_KEYS_FOR_RESOURCE }
enum ProductOptionUpdateUserErrorCode {
  CANNOT_COMBINE_LINKED_AND_NONLINKED_OPTION_VALUES DUPLICATED_OPTION_VALUE INVALID_NAME OPTION_ALREADY_EXISTS OPTION_DOES_NOT_EXIST
  OPTION_NAME_TOO_LONG OPTION_VALUE_ALREADY_EXISTS OPTION_VALUE_DOES_NOT_EXIST OPTION_VALUE_HAS_VARIANTS OPTION_VALUE_NAME_TOO_LONG
  PRODUCT_DOES_NOT_EXIST
}
enum ProductVariantsBulkUpdateUserErrorCode { GREATER_THAN_OR_EQUAL_TO INVALID_INPUT INVALID_VALUE OPTION_DOES_NOT_EXIST PRODUCT_DOES_NOT_EXIST PRODUCT_VARIANT_DOES_NOT_EXIST PRODUCT_VARIANT_ID_MISSING VARIANT_ALREADY_EXISTS }
enum ProductSetUserErrorCode { GENERIC_ERROR INVALID_INPUT NOT_FOUND PRODUCT_DOES_NOT_EXIST PRODUCT_OPTIONS_INPUT_MISSING PRODUCT_VARIANT_DOES_NOT_EXIST VARIANTS_INPUT_MISSING }
enum InventorySetQuantitiesUserErrorCode { CHANGE_FROM_QUANTITY_STALE IDEMPOTENCY_CONCURRENT_REQUEST IDEMPOTENCY_KEY_PARAMETER_MISMATCH INVALID_INVENTORY_ITEM INVALID_LOCATION INVALID_NAME INVALID_QUANTITY_NEGATIVE INVALID_REASON }
"#;
