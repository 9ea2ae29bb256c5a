import { OrderAudit } from '@faultline/contracts';
import { Answers, TokenOffLoopback } from '@faultline/http-server';
import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { OrderAudits } from './order-audit.js';

@ApiTags('operations')
@Controller('audit')
export class AuditController {
  constructor(@Inject(OrderAudits) private readonly audits: OrderAudits) {}

  @Get()
  @TokenOffLoopback()
  @ApiOperation({ summary: 'The sums this service vouches for, at one snapshot' })
  @Answers(200, OrderAudit, 'Orders by status, net amounts and quantities, suspended and skipped orders')
  read(): Promise<OrderAudit> {
    return this.audits.read();
  }
}
